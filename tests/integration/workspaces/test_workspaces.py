"""Names, and the one place where an owner changes (semantics.md 14)."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import transaction

from accounts.audit import THE_SYSTEM
from accounts.models import AuditEntry
from tests.factories import (
    NOON,
    finish_all_jobs,
    make_ready_prebuilds,
    make_template,
    make_user,
    make_workspace,
    preset_of,
)
from tests.integration.referee import assert_refused
from workspaces import locks
from workspaces.errors import InvalidName, NameTaken, PrebuildKeepsItsName, WorkspaceDeleted
from workspaces.models import ProvisionerJob, Workspace
from workspaces.services import workspaces

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(minutes=1)
NAMES = {
    "a": True,
    "A": True,
    "0": True,
    "web": True,
    "my-web-2": True,
    "a" * 32: True,
    "a" * 33: False,
    "": False,
    "-web": False,
    "web-": False,
    "my--web": False,
    "my_web": False,
    "my web": False,
    "web\n": False,
    "wéb": False,
    "web/../x": False,
    "٣": False,
}


@pytest.mark.parametrize(("name", "is_valid"), NAMES.items())
def test_a_name_is_letters_digits_and_single_hyphens(name, is_valid):
    if is_valid:
        workspaces.check_name(name)
    else:
        with pytest.raises(InvalidName, match="cannot be a workspace name"):
            workspaces.check_name(name)


def insert(owner, name, template=None):
    return workspaces.insert_workspace(
        owner=owner,
        template=template or make_template(),
        name=name,
        latest_build_id=None,
        now=NOON,
    )


def test_a_second_live_workspace_of_that_name_is_refused_and_the_transaction_lives_on():
    owner = make_user()
    insert(owner, "web")

    with pytest.raises(NameTaken, match='named "Web"'):
        insert(owner, "Web")

    assert insert(owner, "other").name == "other"
    assert owner.workspaces.count() == 2


def test_the_name_of_a_deleted_workspace_is_free():
    owner = make_user()
    insert(owner, "web")
    Workspace.objects.update(deleted_at=NOON)

    assert insert(owner, "web").deleted_at is None


def test_a_fresh_workspace_has_the_fields_of_its_template():
    owner = make_user()
    template = make_template(fields={"default_ttl_seconds": 3600})

    workspace = insert(owner, "web", template)

    workspace.refresh_from_db()
    assert (workspace.owner, workspace.template) == (owner, template)
    assert workspace.organization == template.organization
    assert workspace.created_at == workspace.updated_at == workspace.last_used_at == NOON
    assert (workspace.ttl_seconds, workspace.automatic_updates) == (3600, "never")
    assert (workspace.autostart_schedule, workspace.next_start_at) == ("", None)
    assert workspace.dormant_at is workspace.deleting_at is workspace.deleted_at is None


def hand_over(prebuild, owner, name="mine"):
    with transaction.atomic():
        workspace = locks.lock_workspace(prebuild.pk)
        workspaces.transfer_ownership(workspace, owner=owner, name=name, now=LATER)
    prebuild.refresh_from_db()


def ready_prebuild(**fields):
    (prebuild,) = make_ready_prebuilds(preset_of(make_template(fields=fields)), 1, now=NOON)
    return prebuild


def test_a_prebuild_becomes_its_new_owners():
    prebuild, owner = ready_prebuild(default_ttl_seconds=3600), make_user()
    build_id = prebuild.latest_build_id

    hand_over(prebuild, owner)

    assert (prebuild.owner, prebuild.name, prebuild.is_prebuild) == (owner, "mine", False)
    assert prebuild.updated_at == prebuild.last_used_at == LATER
    assert prebuild.created_at == NOON
    assert (prebuild.ttl_seconds, prebuild.automatic_updates) == (3600, "never")
    assert (prebuild.autostart_schedule, prebuild.next_start_at) == ("", None)
    assert prebuild.dormant_at is prebuild.deleting_at is prebuild.deleted_at is None
    assert prebuild.latest_build_id == build_id


def test_a_prebuild_gets_the_same_fields_as_a_fresh_workspace():
    prebuild, owner = ready_prebuild(default_ttl_seconds=0), make_user()

    hand_over(prebuild, owner)

    fresh = insert(owner, "fresh", prebuild.template)
    lifecycle = (
        "ttl_seconds",
        "automatic_updates",
        "autostart_schedule",
        "next_start_at",
        "dormant_at",
        "deleting_at",
    )
    assert [getattr(prebuild, each) for each in lifecycle] == [
        getattr(fresh, each) for each in lifecycle
    ]


def test_a_taken_name_leaves_the_prebuild_where_it_was():
    prebuild, owner = ready_prebuild(), make_user()
    insert(owner, "mine")

    with pytest.raises(NameTaken):
        hand_over(prebuild, owner, "MINE")

    prebuild.refresh_from_db()
    assert prebuild.is_prebuild
    assert prebuild.name.startswith("prebuild-")


def test_another_constraint_is_not_mistaken_for_a_taken_name():
    template = make_template()
    template.pk = template.id = uuid4()

    assert_refused("workspaces_workspace_template_id", lambda: insert(make_user(), "web", template))


def test_a_workspace_that_never_was_cannot_be_locked():
    with pytest.raises(Workspace.DoesNotExist):
        locks.lock_workspace(uuid4())


def test_a_row_that_moved_on_is_read_as_it_is_now():
    workspace = make_workspace(now=NOON)
    Workspace.objects.filter(pk=workspace.pk).update(name="renamed")

    assert locks.lock_workspace(workspace.pk).name == "renamed"
    finish_all_jobs(now=NOON)
    assert locks.lock_job(ProvisionerJob.objects.get().pk).status == "succeeded"


def rename(workspace, name):
    return workspaces.rename_workspace(
        workspace_id=workspace.pk, name=name, actor=THE_SYSTEM, now=LATER
    )


def test_a_rename_is_a_change_of_the_row_and_is_written_down():
    workspace = make_workspace(name="api", now=NOON)

    rename(workspace, "API")

    workspace.refresh_from_db()
    assert (workspace.name, workspace.updated_at) == ("API", LATER)
    assert AuditEntry.objects.get(action="rename").before == {"name": "api"}


def test_neither_a_prebuild_nor_a_deleted_workspace_nor_a_bad_name_is_renamed():
    (prebuild,) = make_ready_prebuilds(preset_of(make_template()), 1)
    deleted = make_workspace()
    Workspace.objects.filter(pk=deleted.pk).update(deleted_at=NOON)

    with pytest.raises(PrebuildKeepsItsName):
        rename(prebuild, "web")
    with pytest.raises(WorkspaceDeleted):
        rename(deleted, "web")
    with pytest.raises(InvalidName):
        rename(make_workspace(), "-web")
    assert not Workspace.objects.filter(name="web").exists()
