"""The flooded queue: waiting starts of one template are canceled, each on its own."""

from io import StringIO

import pytest
from django.core.management import call_command

from accounts.audit import THE_SYSTEM
from accounts.models import AuditEntry
from prebuilds import services
from prebuilds.execution import deletion
from templates_app.services import PresetSpec
from tests.factories import (
    NOON,
    acquire,
    ask_for,
    decide_for,
    finish_all_jobs,
    make_pending_prebuilds,
    make_template,
    make_workspace,
    preset_of,
)
from workspaces.enums import Transition
from workspaces.models import ProvisionerJob, Workspace, WorkspaceBuild
from workspaces.services import jobs

pytestmark = pytest.mark.django_db


@pytest.fixture
def template():
    return make_template("flood", presets=(PresetSpec(name="Small", desired_instances=5),))


def cancel(template):
    return services.cancel_pending_prebuilds(template=template, actor=THE_SYSTEM, now=NOON)


def live():
    return Workspace.objects.filter(deleted_at__isnull=True)


def test_waiting_starts_are_canceled_and_their_workspaces_removed_without_a_daemon(template):
    make_pending_prebuilds(preset_of(template), 3, now=NOON)

    outcome = cancel(template)

    assert (outcome.canceled, outcome.busy, outcome.failed) == (3, 0, 0)
    assert not live().exists()
    deletions = WorkspaceBuild.objects.filter(transition=Transition.DELETE)
    assert {(one.job.status, one.action_reason) for one in deletions} == {("succeeded", "canceled")}
    assert not ProvisionerJob.objects.filter(completed_at__isnull=True).exists()
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.object_label, entry.after) == (
        "cancel_pending",
        str(template),
        {"canceled": 3},
    )


def test_what_a_daemon_does_what_is_ready_and_what_is_peoples_stays(template):
    make_pending_prebuilds(preset_of(template), 1, now=NOON)
    finish_all_jobs(now=NOON)
    make_pending_prebuilds(preset_of(template), 2, now=NOON)
    taken = acquire(now=NOON)
    mine = make_workspace(template=template, now=NOON)
    other = make_pending_prebuilds(preset_of(make_template()), 1, now=NOON)

    assert cancel(template).canceled == 1

    stay = {taken.workspace_id, mine.pk, *(one.pk for one in other)}
    assert stay < set(live().values_list("pk", flat=True))
    assert live().count() == 4


def test_one_that_a_daemon_takes_meanwhile_goes_on(template, monkeypatch):
    make_pending_prebuilds(preset_of(template), 2, now=NOON)
    monkeypatch.setattr(services, "_pending_starts", _and_then_a_daemon_takes_one(services))

    outcome = cancel(template)

    assert (outcome.canceled, outcome.busy) == (1, 1)
    assert ProvisionerJob.objects.get(completed_at__isnull=True).status == "running"


def _and_then_a_daemon_takes_one(room):
    look = room._pending_starts

    def looked(template):
        found = look(template)
        acquire(now=NOON)
        return found

    return looked


def test_one_that_was_built_and_is_being_removed_meanwhile_is_removed_properly(template):
    (prebuild,) = make_pending_prebuilds(preset_of(template), 1, now=NOON)
    finish_all_jobs(now=NOON)
    deletion.delete_prebuilds({prebuild.pk: deletion.Reason.EXTRANEOUS}, now=NOON)

    canceled = deletion.cancel_pending(
        workspace_id=prebuild.pk, reason=deletion.Reason.CANCELED, now=NOON
    )

    assert not canceled
    assert ProvisionerJob.objects.get(completed_at__isnull=True).status == "pending"


def test_one_that_was_stopped_and_started_again_by_a_person_is_not_touched(template):
    (prebuild,) = make_pending_prebuilds(preset_of(template), 1, now=NOON)
    finish_all_jobs(now=NOON)
    ask_for(prebuild, Transition.STOP, now=NOON)
    finish_all_jobs(now=NOON)
    ask_for(prebuild, Transition.START, now=NOON)

    canceled = deletion.cancel_pending(
        workspace_id=prebuild.pk, reason=deletion.Reason.SURPLUS, now=NOON
    )

    assert not canceled
    assert list(live()) == [prebuild]
    assert ProvisionerJob.objects.get(completed_at__isnull=True).status == "pending"


def test_one_that_a_daemon_gave_back_is_canceled_and_then_deleted_by_a_daemon(template):
    (prebuild,) = make_pending_prebuilds(preset_of(template), 1, now=NOON)
    job = acquire(now=NOON)
    jobs.release_job(job_id=job.job_id, lease=job.lease, now=NOON)

    assert cancel(template).canceled == 1
    assert list(live()) == [prebuild], "whatever the daemon left behind would stay for ever"
    assert ProvisionerJob.objects.get().status == "canceled"

    action = decide_for(preset_of(template), now=NOON).actions[-1]
    deletion.delete_prebuilds({action.workspace_id: action.reason}, now=NOON)

    assert (action.workspace_id, action.reason) == (prebuild.pk, "canceled")
    assert acquire(now=NOON).transition == "delete"


def test_one_that_fails_does_not_undo_the_others(template, monkeypatch):
    first, *_ = make_pending_prebuilds(preset_of(template), 3, now=NOON)
    cancel_pending = deletion.cancel_pending

    def explode(*, workspace_id, **words):
        if workspace_id == first.pk:
            raise ZeroDivisionError
        return cancel_pending(workspace_id=workspace_id, **words)

    monkeypatch.setattr(services.deletion, "cancel_pending", explode)

    outcome = cancel(template)

    assert (outcome.canceled, outcome.failed) == (2, 1)
    assert list(live()) == [first]


def test_with_nothing_to_cancel_nothing_is_written(template):
    assert cancel(template).canceled == 0
    assert not AuditEntry.objects.exists()


def test_the_command_says_what_became_of_them(template):
    make_pending_prebuilds(preset_of(template), 2, now=NOON)
    out = StringIO()

    call_command("prebuilds", "cancel-pending", "--template", "FLOOD", stdout=out)

    assert "2 canceled, 0 taken by a daemon first, 0 failed" in out.getvalue()
    assert AuditEntry.objects.get().source == "command"
