"""manage.py demo: safe to repeat, never beside other data unless told so."""

from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import Membership, Organization, User
from accounts.system import PREBUILDS_USERNAME
from prebuilds import reconciler
from prebuilds.core.actions import DeletePrebuild
from prebuilds.core.policy import Policy
from prebuilds.management import demo_story
from prebuilds.management.demo import PASSWORD, PEOPLE, TEMPLATES
from templates_app.models import Preset, Template, TemplateVersion
from tests import factories
from workspaces.models import Agent, Workspace

pytestmark = pytest.mark.django_db

NAMES = {username for username, _, _ in PEOPLE}


def demo(*arguments):
    out = StringIO()
    call_command("demo", *arguments, stdout=out)
    return out.getvalue()


def test_it_loads_people_and_templates_and_prints_the_logins():
    out = demo()

    assert set(User.objects.values_list("username", flat=True)) == NAMES
    assert set(Template.objects.values_list("name", flat=True)) == {row[0] for row in TEMPLATES}
    assert Membership.objects.filter(user__username__in=NAMES).count() == len(PEOPLE)
    assert PASSWORD in out
    assert all(name in out for name in NAMES)


def test_everybody_it_prints_can_sign_in():
    demo()

    for username in NAMES:
        assert authenticate(username=username, password=PASSWORD) is not None


def test_it_holds_a_pool_that_works_one_that_fails_and_one_that_cannot_validate():
    demo()

    with_pool = Preset.objects.filter(desired_instances__isnull=False)
    names = set(with_pool.values_list("name", flat=True))
    assert names == {"Small", "Large", "Nightly", "Europe", "Standard", "GPU", "One hour", "Silent"}
    assert Preset.objects.get(name="Large").schedules.count() == 1
    assert "exit 1" in TemplateVersion.objects.get(template__name="nightly-image").startup_script


def sizes():
    models = (User, Membership, Template, TemplateVersion, Preset, Organization)
    return [model.objects.count() for model in models]


@pytest.mark.parametrize("again", [(), ("--if-empty",), ("--force",)])
def test_a_second_time_changes_nothing(again):
    demo()
    before = sizes()

    demo(*again)

    assert sizes() == before


def test_what_people_changed_since_is_kept():
    demo()
    Preset.objects.filter(name="Small").update(desired_instances=7)
    User.objects.filter(username="ana").update(name="Ana Anders")

    demo()

    assert Preset.objects.get(name="Small").desired_instances == 7
    assert User.objects.get(username="ana").name == "Ana Anders"


def add_person():
    factories.make_user("somebody")


def add_template():
    author = User.objects.create_user("ana")
    Template.objects.create(organization=factories.default_organization(), name="theirs")
    assert author.pk


@pytest.mark.parametrize("add", [add_person, add_template])
def test_beside_other_data_it_refuses_and_says_what_to_do(add):
    add()
    before = sizes()

    with pytest.raises(CommandError, match="--force") as refused:
        demo()

    assert refused.value.returncode == 1
    assert sizes() == before


@pytest.mark.parametrize("add", [add_person, add_template])
def test_if_empty_is_silent_beside_other_data(add):
    add()
    before = sizes()

    assert demo("--if-empty") == ""
    assert sizes() == before


def test_force_adds_the_demo_beside_other_data():
    add_person()

    demo("--force")

    assert set(User.objects.values_list("username", flat=True)) == NAMES | {"somebody"}


def test_the_system_user_is_no_other_data():
    assert User.with_system.filter(username=PREBUILDS_USERNAME).exists()

    demo()


@pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])
def test_the_story_moves_one_template_along_and_is_told_once(monkeypatch):
    demo()
    monkeypatch.setattr(demo_story.time, "sleep", lambda _: run_the_world())
    told = []

    assert demo_story.play(told.append, clock=timezone.now)

    assert [line.split(":")[1].split(";")[0].split(",")[0] for line in told] == [
        " one prebuild is made an hour old",
        " one agent starts over and is not heard of again",
        " promoting release 2",
        " 14 are wanted at once",
        " one is enough now",
        " invalidating what is left",
    ]
    template = Template.objects.get(name=demo_story.NAME)
    preset = Preset.objects.get(version_id=template.active_version_id)
    assert (template.active_version.name, preset.desired_instances) == ("release-2", 1)
    assert preset.last_invalidated_at is not None
    assert not demo_story.play(told.append, clock=timezone.now)
    assert len(told) == 6


@pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])
def test_in_the_lab_one_expires_and_one_never_becomes_ready():
    demo()
    run_the_world()
    now = timezone.now()
    patient = Policy(ready_timeout=timedelta(seconds=45))

    before = deletions(patient, now + timedelta(minutes=1))
    demo_story.disturb_the_lab(print, clock=lambda: now)

    assert before == {}
    assert deletions(patient, now + timedelta(seconds=9)) == {}
    assert deletions(patient, now + timedelta(minutes=1)) == {
        "One hour": ["expired"],
        "Silent": ["never_ready"],
    }


def deletions(policy, now):
    """Return why a cycle would delete, by preset."""
    return {
        one.preset.name: reasons
        for one in reconciler.plan_cycle(policy=policy, now=now)
        if (reasons := [act.reason for act in one.actions if isinstance(act, DeletePrebuild)])
    }


def run_the_world():
    """What goes on beside the story: a cycle, daemons and agents."""
    reconciler.run_cycle(trigger="command", policy=Policy(), clock=timezone.now)
    factories.finish_all_jobs()
    for workspace in Workspace.objects.filter(deleted_at__isnull=True):
        agents = Agent.objects.filter(resource__build=workspace.latest_build_id)
        if agents and not agents.filter(lifecycle_state="ready"):
            factories.make_agent_ready(workspace)
