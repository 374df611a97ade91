"""What an owner sets on the page of a workspace; a prebuild has none of it."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from templates_app.parameters import ParameterDefinition
from tests.factories import (
    claim_prebuild,
    finish_all_jobs,
    make_pending_prebuilds,
    make_ready_prebuilds,
    make_template,
    make_user,
    make_workspace,
    preset_of,
    promote_new_version,
)
from tests.integration.prebuilds.dashboard.visitors import client_of, text_of, visitor
from workspaces.models import Workspace, WorkspaceBuild

pytestmark = pytest.mark.django_db

CPUS = ParameterDefinition(name="cpus", type="number", default="2")
DISK = ParameterDefinition(name="disk", type="string", default="ssd", mutable=False)
CONTROLS = ("rename", "autostop", "extend", "autostart", "wake", "sleep", "values", "update")


@pytest.fixture
def workspace() -> Workspace:
    template = make_template("python", presets=[], definitions=(CPUS, DISK))
    made = make_workspace(make_user("ben"), template=template, name="api")
    finish_all_jobs()
    made.refresh_from_db()
    return made


@pytest.fixture
def ben(workspace: Workspace) -> Client:
    return client_of(workspace.owner)


def address(workspace: Workspace, control: str = "") -> str:
    return f"/workspaces/{workspace.pk}/{control}"


def changed(workspace: Workspace) -> Workspace:
    return Workspace.objects.select_related("latest_build__template_version").get(pk=workspace.pk)


def test_renaming(ben, workspace):
    answer = ben.post(address(workspace, "rename"), {"name": "web"}, follow=True)

    assert "api is now called web." in text_of(answer)
    assert changed(workspace).name == "web"


def test_a_name_that_cannot_be_is_said_at_the_name(ben, workspace):
    response = ben.post(address(workspace, "rename"), {"name": "no name"})

    assert response.status_code == 422
    assert "no name" in str(response.context["form"].errors["name"])
    assert changed(workspace).name == "api"


@pytest.mark.parametrize(("hours", "seconds"), [("8", 28_800), ("0.5", 1_800), ("", None)])
def test_autostop(ben, workspace, hours, seconds):
    Workspace.objects.update(ttl_seconds=60)

    ben.post(address(workspace, "autostop"), {"hours": hours})

    assert changed(workspace).ttl_seconds == seconds


@pytest.mark.parametrize("hours", ["-1", "721", "soon"])
def test_an_autostop_out_of_range_is_said_at_its_input(ben, workspace, hours):
    response = ben.post(address(workspace, "autostop"), {"hours": hours})

    assert response.status_code == 422
    assert "hours" in response.context["form"].errors


def test_running_longer(ben, workspace):
    deadline = timezone.now() + timedelta(minutes=10)
    WorkspaceBuild.objects.update(deadline=deadline)

    answer = ben.post(address(workspace, "extend"), {"hours": "2"}, follow=True)

    assert "api runs for another 2 h" in text_of(answer)
    assert changed(workspace).latest_build.deadline == deadline + timedelta(hours=2)


def test_without_a_deadline_there_is_nothing_to_extend(ben, workspace):
    assert "It has no deadline" in text_of(ben.get(address(workspace, "extend")))
    response = ben.post(address(workspace, "extend"), {"hours": "2"})

    assert response.status_code == 422


def test_autostart_in_plain_words(ben, workspace):
    form = {"days": ["1", "2", "3", "4", "5"], "at": "09:30", "zone": "Europe/Berlin"}

    answer = ben.post(address(workspace, "autostart"), form, follow=True)

    assert changed(workspace).autostart_schedule == "CRON_TZ=Europe/Berlin 30 9 * * 1,2,3,4,5"
    assert changed(workspace).next_start_at is not None
    assert "Mon to Fri at 09:30, Europe/Berlin" in text_of(answer)
    initial = ben.get(address(workspace, "autostart")).context["form"].initial
    assert initial["days"] == ("1", "2", "3", "4", "5")


def test_no_day_ends_the_autostart(ben, workspace):
    ben.post(address(workspace, "autostart"), {"days": ["0"], "at": "09:30", "zone": "UTC"})

    ben.post(address(workspace, "autostart"), {"at": "09:30", "zone": "UTC"})

    assert changed(workspace).autostart_schedule == ""


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"days": ["1"], "at": "", "zone": "UTC"}, "at"),
        ({"days": ["1"], "at": "25:00", "zone": "UTC"}, "at"),
        ({"days": ["1"], "at": "09:30", "zone": "Mars/Olympus"}, "zone"),
        ({"days": ["9"], "at": "09:30", "zone": "UTC"}, "days"),
    ],
)
def test_an_autostart_that_cannot_be_is_said_at_its_input(ben, workspace, form, field):
    response = ben.post(address(workspace, "autostart"), form)

    assert response.status_code == 422
    assert list(response.context["form"].errors) == [field]
    assert changed(workspace).autostart_schedule == ""


def test_sleeping_and_waking(ben, workspace):
    ben.post(address(workspace, "sleep"))
    finish_all_jobs()
    assert changed(workspace).dormant_at is not None
    assert "This workspace is dormant" in text_of(ben.get(address(workspace, "values")))

    answer = ben.post(address(workspace, "wake"), follow=True)

    assert "api is awake" in text_of(answer)
    assert changed(workspace).dormant_at is None


def test_starting_with_other_values(ben, workspace):
    page = ben.get(address(workspace, "values"))
    ben.post(address(workspace, "values"), {"parameter.cpus": "4"})

    build = changed(workspace).latest_build
    assert 'name="parameter.disk"' not in page.text
    assert build.build_number == 2
    assert dict(build.parameters.values_list("name", "value")) == {"cpus": "4", "disk": "ssd"}


def test_a_value_that_cannot_be_is_said_at_its_input(ben, workspace):
    response = ben.post(address(workspace, "values"), {"parameter.cpus": "many"})

    assert response.status_code == 422
    assert 'id="parameter-cpus-error"' in response.text
    assert changed(workspace).latest_build.build_number == 1


def test_updating_to_the_active_version(ben, workspace):
    assert "already" in text_of(ben.get(address(workspace, "update")))
    promote_new_version(workspace.template, presets=[], definitions=(CPUS, DISK))
    assert "Update to 2.0.0" in text_of(ben.get(address(workspace)))

    ben.post(address(workspace, "update"), {"parameter.cpus": "2"})

    assert changed(workspace).latest_build.template_version.name == "2.0.0"


@pytest.mark.parametrize("control", CONTROLS)
def test_who_may_only_read_changes_nothing(workspace, control):
    assert visitor("template admin").get(address(workspace, control)).status_code == 403
    assert visitor("member").get(address(workspace, control)).status_code == 404


@pytest.mark.parametrize("control", CONTROLS)
def test_a_prebuild_has_no_controls_and_says_why(control):
    prebuild = make_pending_prebuilds(preset_of(make_template()))[0]
    owner = visitor("owner")

    page = owner.get(address(prebuild))

    assert "Nobody has claimed it, so no time acts on it" in text_of(page)
    assert address(prebuild, control) not in page.text
    assert owner.get(address(prebuild, control)).status_code == 404
    assert owner.post(address(prebuild, control), {"name": "x"}).status_code == 404


def test_the_page_links_its_builds_to_their_jobs(ben, workspace):
    text = ben.get(address(workspace)).text

    assert f'href="/jobs/{workspace.latest_build.job_id}/"' in text
    assert "cpus" in text


def test_a_claimed_workspace_tells_when_it_was_ready_in_the_pool():
    preset = preset_of(make_template())
    make_ready_prebuilds(preset)
    ben = make_user()
    workspace = claim_prebuild(preset, ben)

    text = text_of(client_of(ben).get(address(workspace)))

    asked, ready, claimed = map(
        text.index, ("Asked for as a prebuild", "Ready in the pool", "Claimed by")
    )
    assert asked < ready < claimed


def test_each_live_part_costs_four_statements(ben, workspace, django_assert_max_num_queries):
    for part in ("state", "logs"):
        with django_assert_max_num_queries(3 + 4):
            ben.get(address(workspace, part))
    with django_assert_max_num_queries(12):
        ben.get(address(workspace))
