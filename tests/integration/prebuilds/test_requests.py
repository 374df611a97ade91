"""What people ask of one workspace: a build, perhaps of another version, and the end of a job."""

import pytest

from accounts.audit import Actor
from accounts.enums import AuditSource
from accounts.models import AuditEntry
from prebuilds import services
from templates_app.errors import VersionNotOfTemplate
from tests.factories import (
    NOON,
    acquire,
    finish_all_jobs,
    make_template,
    make_user,
    make_workspace,
    promote_new_version,
)
from workspaces.enums import JobStatus, Transition
from workspaces.errors import JobEnded
from workspaces.models import ProvisionerJob

pytestmark = pytest.mark.django_db


def request_start(workspace, version_id):
    return services.request_build(
        workspace=workspace,
        transition=Transition.START,
        actor=Actor(user=workspace.owner, source=AuditSource.API),
        template_version_id=version_id,
        now=NOON,
    )


def cancel(job, user):
    actor = Actor(user=user, source=AuditSource.API)
    return services.cancel_job(job=job, actor=actor, now=NOON)


def test_a_start_moves_a_workspace_to_another_version_of_its_template():
    workspace = make_workspace(template=make_template(presets=[]))
    finish_all_jobs()
    template = promote_new_version(workspace.template, presets=[])

    build = request_start(workspace, template.active_version_id)

    assert build.template_version_id == template.active_version_id


def test_a_version_of_another_template_is_refused():
    workspace = make_workspace(template=make_template(presets=[]))
    finish_all_jobs()

    with pytest.raises(VersionNotOfTemplate):
        request_start(workspace, make_template().active_version_id)


def test_canceling_again_changes_nothing_until_the_job_has_ended():
    user = make_user()
    make_workspace(user, template=make_template(presets=[]))
    acquire()
    job = ProvisionerJob.objects.get()

    assert [cancel(job, user), cancel(job, user)] == [JobStatus.CANCELING] * 2
    assert AuditEntry.objects.filter(action="cancel").count() == 1

    ProvisionerJob.objects.update(completed_at=NOON)
    with pytest.raises(JobEnded):
        cancel(job, user)
