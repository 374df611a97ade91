"""The search for workspaces: what each term finds, and what is told when a term makes no sense."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Membership
from tests.factories import (
    NOON,
    acquire,
    ask_for,
    default_organization,
    finish_all_jobs,
    make_organization,
    make_pending_prebuilds,
    make_ready_prebuilds,
    make_template,
    make_user,
    make_workspace,
    preset_of,
    promote_new_version,
)
from workspaces.enums import Transition
from workspaces.models import Workspace
from workspaces.search import TERM_LIMIT, read_search, search_workspaces
from workspaces.services import jobs

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin():
    return make_user("admin", roles=["owner"])


def found(viewer, text) -> set[str]:
    search = read_search(text, viewer)
    assert search.problems == ()
    return set(search_workspaces(viewer, search).values_list("name", flat=True))


def problem(viewer, text) -> str:
    (only,) = read_search(text, viewer).problems
    return only


def test_terms_find_by_owner_template_name_and_organization(admin):
    ben = make_user("ben")
    template = make_template("python", presets=[], fields={"display_name": "Python Service"})
    make_workspace(ben, template=template, name="api")
    make_workspace(ben, template=make_template(presets=[]), name="web")
    make_workspace(admin, template=template, name="mine")
    organization = default_organization().name

    assert found(admin, "owner:me") == {"mine"}
    assert found(admin, "OWNER:Ben") == {"api", "web"}
    assert found(admin, "template:python") == {"api", "mine"}
    assert found(admin, 'template:"python service" owner:ben') == {"api"}
    assert found(admin, "name:AP") == found(admin, "ap") == found(admin, '"ap"') == {"api"}
    assert found(admin, f"organization:{organization}") == {"api", "web", "mine"}
    assert found(admin, "organization:nowhere") == set()
    assert found(admin, "  ") == {"api", "web", "mine"}


def test_prebuilds_are_found_by_their_owner_and_their_preset(admin):
    template = make_template()
    (prebuild,) = make_ready_prebuilds(preset_of(template), 1)
    make_workspace(admin, template=make_template(presets=[]), name="mine")

    assert found(admin, "owner:prebuilds") == {prebuild.name}
    assert found(admin, "preset:small") == {prebuild.name}
    assert found(admin, "preset:large") == set()


def test_a_minus_finds_the_others(admin):
    ben = make_user("ben")
    template = make_template("python")
    (prebuild,) = make_ready_prebuilds(preset_of(template), 1)
    make_workspace(ben, template=make_template("web", presets=[]), name="api")
    make_workspace(admin, template=make_template("go", presets=[]), name="build-api")

    assert found(admin, "-owner:prebuilds") == {"api", "build-api"}
    assert found(admin, "-owner:prebuilds -owner:me") == {"api"}
    assert found(admin, "-template:python -template:web") == {"build-api"}
    assert found(admin, "-preset:small") == {"api", "build-api"}
    assert found(admin, "-status:ready") == {"api", "build-api"}
    assert found(admin, "-api") == {"build-api"}
    assert prebuild.name in found(admin, "-status:deleted")


def test_a_minus_before_what_is_no_filter_is_told_like_any_other(admin):
    assert problem(admin, "-owner:") == "“-owner:” needs a value, such as -owner:me."
    assert problem(admin, "-colour:red").startswith("“-colour:” is no filter.")
    assert problem(admin, "-:x").startswith("“-:” is no filter.")
    assert "is neither" in problem(admin, "-dormant:perhaps")


def test_versions_are_found_by_name_and_by_whether_they_are_the_active_one(admin):
    template = make_template(presets=[])
    make_workspace(admin, template=template, name="old")
    finish_all_jobs()
    promote_new_version(template, "2.0.0", presets=[])
    make_workspace(admin, template=template, name="new")

    assert found(admin, "version:active") == found(admin, "outdated:false") == {"new"}
    assert found(admin, "version:old") == found(admin, "outdated:true") == {"old"}
    assert found(admin, "version:1.0.0") == {"old"}


def test_every_status_is_found(admin):
    template = make_template(presets=[])

    def make(name):
        return make_workspace(admin, template=template, name=name)

    for name in ("running", "stopping", "stopped", "deleting", "deleted"):
        make(name)
    finish_all_jobs()
    workspaces = {one.name: one for one in Workspace.objects.all()}
    ask_for(workspaces["stopped"], Transition.STOP)
    ask_for(workspaces["deleted"], Transition.DELETE)
    finish_all_jobs()
    make("failed")
    finish_all_jobs(fail="exit 1")
    ask_for(workspaces["stopping"], Transition.STOP)
    acquire()
    ask_for(workspaces["deleting"], Transition.DELETE)
    acquire()
    make("starting")
    acquire()
    jobs.cancel_job(job_id=make("canceling").latest_build.job_id, now=NOON)
    canceled = make("canceled")
    jobs.cancel_job(job_id=canceled.latest_build.job_id, now=NOON)
    make("pending")
    Workspace.objects.get(name="canceling").jobs.update(
        completed_at=None, started_at=NOON, heartbeat_at=NOON, lease=canceled.pk
    )

    for word in (
        "pending",
        "starting",
        "running",
        "stopping",
        "stopped",
        "failed",
        "canceling",
        "canceled",
        "deleting",
        "deleted",
    ):
        assert found(admin, f"status:{word}") == {word}


def test_ready_and_building_are_found_too(admin):
    preset = preset_of(make_template())
    (ready,) = make_ready_prebuilds(preset, 1)
    (building,) = make_pending_prebuilds(preset, 1)
    (running,) = [make_workspace(admin, template=make_template(presets=[]), name="running")]

    assert found(admin, "status:ready") == {ready.name}
    assert found(admin, "status:building") == {building.name, running.name}


def test_dormant_ones_are_found(admin):
    make_workspace(admin, name="awake", template=make_template(presets=[]))
    asleep = make_workspace(admin, name="asleep", template=make_template(presets=[]))
    Workspace.objects.filter(pk=asleep.pk).update(dormant_at=NOON)

    assert found(admin, "dormant:true") == {"asleep"}
    assert found(admin, "dormant:false") == {"awake"}


def test_deleted_ones_are_found_only_when_asked_for(admin):
    workspace = make_workspace(admin, template=make_template(presets=[]))
    finish_all_jobs()
    ask_for(workspace, Transition.DELETE)
    finish_all_jobs()

    assert found(admin, "owner:me") == set()
    assert found(admin, "owner:me status:DELETED") == {workspace.name}


def test_what_is_not_understood_is_told_with_what_would_be(admin):
    assert "“colour:” is no filter. Use dormant:, name:," in problem(admin, "colour:red")
    assert "“red” is no status. Use pending, starting," in problem(admin, "status:red")
    assert "outdated:true nor outdated:false" in problem(admin, "outdated:maybe")
    assert "such as owner:me" in problem(admin, "owner:")
    assert f"at most {TERM_LIMIT} terms" in problem(admin, "a " * (TERM_LIMIT + 1))


@pytest.mark.parametrize("text", ['"', '""', "\0", "name:\0x", '"unclosed', "a:b:c", "%_\\", "🐍"])
def test_odd_input_never_breaks(admin, text):
    search = read_search(text, admin)

    assert list(search_workspaces(admin, search)) == []


def test_a_member_finds_their_own_only():
    member = make_user()
    make_workspace(member, name="mine")
    make_workspace(make_user("ben"), name="bens")

    assert found(member, "") == {"mine"}
    assert found(member, "owner:ben") == set()


def test_who_has_left_the_organization_finds_nothing_there():
    member = make_user()
    make_workspace(member, name="mine")
    Membership.objects.filter(user=member).update(organization=make_organization())

    assert found(member, "owner:me") == set()


def test_a_search_is_two_statements_for_a_member():
    member = make_user()
    make_workspace(member)

    with CaptureQueriesContext(connection) as captured:
        found(member, "owner:me status:pending template:x outdated:true dormant:false")

    assert len(captured) == 2
