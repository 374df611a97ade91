"""Many workspaces at once: what the list offers, what is asked, and what is refused and why."""

import csv
import io

import pytest
from django.test import Client
from django.utils import timezone

from accounts.audit import Actor
from accounts.enums import AuditSource
from prebuilds import services
from tests.factories import (
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
from tests.integration.prebuilds.dashboard.visitors import client_of, text_of, visitor
from workspaces.enums import Transition
from workspaces.models import Workspace
from workspaces.search import search_words

pytestmark = pytest.mark.django_db

LIST = "/workspaces/"
BULK = "/workspaces/bulk"


@pytest.fixture
def owner() -> Client:
    return visitor("owner")


def shown(response) -> list[str]:
    return [row.workspace.name for row in response.context["rows"]]


def three_workspaces() -> list[Workspace]:
    template, ben = make_template("python", presets=[]), make_user("ben")
    made = [make_workspace(ben, template=template, name=name) for name in ("a", "b")]
    finish_all_jobs()
    return [*made, make_workspace(ben, template=template, name="c")]


def test_a_search_for_everything_stays_one_in_every_link(owner):
    three_workspaces()

    response = owner.get(f"{LIST}?q=")

    assert set(shown(response)) == {"a", "b", "c"}
    assert shown(owner.get(f"{LIST}table?{response.context['listing'].live_query}")) == shown(
        response
    )


@pytest.mark.parametrize("key", ["name", "status", "owner", "template", "version", "preset"])
def test_headings_sort(owner, key):
    three_workspaces()

    ascending = shown(owner.get(f"{LIST}?q=&sort={key}"))
    descending = shown(owner.get(f"{LIST}?q=&sort=-{key}"))

    assert ascending == descending[::-1]
    assert set(ascending) == {"a", "b", "c"}


def test_an_outdated_workspace_is_marked(owner):
    template = make_template(presets=[])
    make_workspace(template=template, name="old")
    promote_new_version(template)
    make_workspace(template=template, name="new")

    response = owner.get(f"{LIST}?q=")

    marks = {row.workspace.name: row.is_outdated for row in response.context["rows"]}
    assert marks == {"old": True, "new": False}


def test_an_export_holds_all_that_match(owner):
    three_workspaces()

    response = owner.get(f"{LIST}?q=status:running&format=csv&sort=name")

    text = b"".join(response.streaming_content).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["name"], row["version"], row["outdated"]) for row in rows] == [
        ("a", "1.0.0", "False"),
        ("b", "1.0.0", "False"),
    ]


def test_ticked_workspaces_are_stopped_and_the_others_left(owner):
    a, b, _ = three_workspaces()

    plan = owner.get(BULK, {"transition": "stop", "workspace": [a.pk]})
    answer = owner.post(
        BULK, {"transition": "stop", "workspaces": plan.context["listed"]}, follow=True
    )

    assert plan.context["plan"].title == "Stop 1 workspace"
    assert "1 workspace asked to stop." in text_of(answer)
    a.refresh_from_db()
    b.refresh_from_db()
    assert (a.latest_build.transition, b.latest_build.transition) == ("stop", "start")


def test_the_plan_says_which_stay_and_why(owner):
    three_workspaces()

    plan = owner.get(BULK, {"transition": "delete", "all": "yes", "q": "owner:ben"}).context["plan"]

    assert plan.title == "Delete 2 workspaces"
    assert [line.subject for line in plan.lines if line.text == "stays"] == [
        "c (ben): a build of it is under way"
    ]


def test_what_is_refused_meanwhile_is_said_with_its_reason(owner):
    a, b, c = three_workspaces()
    listed = ",".join(str(one.pk) for one in (a, b, c))

    answer = owner.post(BULK, {"transition": "delete", "workspaces": listed}, follow=True)

    text = text_of(answer)
    assert "2 workspaces being deleted." in text
    assert "1 refused: c. This workspace has an unfinished build." in text


def test_nobody_stops_what_they_may_not_change():
    a, *_ = three_workspaces()
    admin = visitor("template admin")

    plan = admin.get(BULK, {"transition": "stop", "workspace": [a.pk]}).context["plan"]
    admin.post(BULK, {"transition": "stop", "workspaces": str(a.pk)})

    assert plan.impossible
    a.refresh_from_db()
    assert a.latest_build.transition == "start"


def test_a_template_admin_deletes_prebuilds():
    prebuild = make_ready_prebuilds(preset_of(make_template()))[0]
    admin = visitor("template admin")

    admin.post(BULK, {"transition": "delete", "workspaces": str(prebuild.pk)})

    prebuild.refresh_from_db()
    assert prebuild.latest_build.transition == "delete"


@pytest.mark.parametrize(
    "query", [{"transition": "start"}, {"transition": ""}, {"transition": "explode"}]
)
def test_other_changes_are_none(owner, query):
    assert owner.get(BULK, query).status_code == 404


def test_nothing_ticked_says_what_to_do(owner):
    plan = owner.get(BULK, {"transition": "stop", "workspace": ["nonsense"]}).context["plan"]

    assert "Tick some" in plan.impossible


def test_a_search_that_is_not_understood_chooses_nothing(owner):
    three_workspaces()

    response = owner.get(BULK, {"transition": "delete", "all": "yes", "q": "colour:red"})

    assert response.context["plan"].impossible


def test_words_complete_with_what_one_may_know_of():
    make_template("mine")
    make_template("theirs", organization=make_organization("elsewhere"))
    member = make_user()

    words = client_of(member).get(f"{LIST}words").json()

    assert words == search_words(member)
    assert words["template"] == ["mine"]
    assert words["preset"] == ["Small"]
    assert words["organization"] == [default_organization().name]
    assert "failed" in words["status"]


def test_words_cost_the_same_for_many(django_assert_max_num_queries):
    for number in range(4):
        make_pending_prebuilds(preset_of(make_template(f"t-{number}")), 1)
    client = visitor("member")

    with django_assert_max_num_queries(2 + 4):
        client.get(f"{LIST}words")


def test_a_refused_one_does_not_undo_the_others():
    a, b, c = three_workspaces()

    outcome = services.request_builds(
        workspaces=[c, a, b],
        transition=Transition.STOP,
        actor=Actor(user=a.owner, source=AuditSource.PAGE),
        now=timezone.now(),
    )

    assert (outcome.asked, [one.name for one in outcome.refusals]) == (2, ["c"])
    a.refresh_from_db()
    assert a.latest_build.transition == "stop"
