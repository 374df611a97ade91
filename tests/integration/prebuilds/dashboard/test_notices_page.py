"""The page of notices: open and past, what each cost, and the one thing to do about it."""

import csv
import io
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Organization
from prebuilds.models import Claim, Notice
from tests.factories import (
    default_organization,
    make_organization,
    make_template,
    make_user,
    make_workspace,
    preset_of,
)
from tests.integration.prebuilds.dashboard.visitors import client_of, text_of, visitor

pytestmark = pytest.mark.django_db

LIST = "/notices/"


@pytest.fixture
def owner():
    return make_user("olga", roles=["owner"])


@pytest.fixture
def preset():
    return preset_of(make_template("python"))


def add_notice(preset=None, kind="hard_limited", *, hours=1.0, lasted=None, harm=0, **fields):
    opened = timezone.now() - timedelta(hours=hours)
    home = preset.version.template.organization if preset else default_organization()
    return Notice.objects.create(
        kind=kind,
        organization=fields.pop("organization", home),
        preset=preset,
        detail=fields.pop("detail", "exit status 1"),
        opened_at=opened,
        closed_at=None if lasted is None else opened + timedelta(hours=lasted),
        cold_starts=None if lasted is None else harm,
        **fields,
    )


def miss(preset) -> None:
    """Let somebody wait for a build because the pool had nothing."""
    made = make_workspace(template=preset.version.template)
    Claim.objects.filter(workspace=made).update(preset=preset, outcome="cold")


def shown(response) -> list[object]:
    return [one.notice.pk for one in response.context["notices"]]


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("owner", 200),
        ("template admin", 200),
        ("auditor", 200),
        ("organization admin", 200),
        ("member", 200),
        ("stranger", 302),
    ],
)
def test_notices_are_for_who_may_read_templates(preset, kind, status):
    add_notice(preset)
    client = visitor(kind)

    assert client.get(LIST).status_code == status
    assert client.get(f"{LIST}table").status_code == status


def test_who_may_read_no_template_does_not_know_of_the_page():
    client = client_of(make_user(organization=make_organization()))
    Organization.objects.exclude(is_default=True).delete()

    assert client.get(LIST).status_code == 404


def test_one_sees_the_notices_of_ones_own_organizations_only(preset):
    mine = add_notice(preset)
    elsewhere = make_organization("faraway")
    add_notice(preset_of(make_template(organization=elsewhere)), detail="not for you")

    response = visitor("member").get(f"{LIST}?state=all")

    assert shown(response) == [mine.pk]
    assert "faraway" not in response.text


def test_an_open_notice_says_what_where_since_when_and_what_it_cost(owner, preset):
    add_notice(preset, hours=2, detail="<b>no such image</b>")
    miss(preset)

    text = text_of(client_of(owner).get(LIST))

    assert "Stopped after repeated failures" in text
    assert "&lt;b&gt;no such image&lt;/b&gt;" in text
    assert f'href="/presets/{preset.pk}/"' in text
    assert '2 h</span> <span class="text-secondary text-nowrap">so far' in text
    assert f'href="/claims/?preset={preset.pk}&amp;outcome=cold&amp;from=' in text
    assert ">1</a></td>" in text


def test_a_long_error_is_folded_to_its_first_line_and_its_last(owner, preset):
    add_notice(preset, detail="Pulling the image\nmanifest not found")

    text = text_of(client_of(owner).get(LIST))

    assert "<summary>Pulling the image … manifest not found</summary>" in text
    assert "manifest not found</pre>" in text


def test_a_past_notice_says_how_long_it_lasted_and_offers_nothing(owner, preset):
    add_notice(preset, hours=30, lasted=4.5, harm=14)

    response = client_of(owner).get(f"{LIST}?state=past")

    text = text_of(response)
    assert "over" in text
    assert "4 h 30 min" in text
    assert ">14</a></td>" in text
    assert response.context["notices"][0].remedy is None


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["open"]),
        ("state=past", ["past", "far"]),
        ("state=all&sort=opened", ["far", "past", "open"]),
        ("state=all&kind=quota_warning", ["far"]),
        ("state=all&organization=faraway", ["far"]),
        ("state=nonsense&kind=nonsense", ["open"]),
        ("state=all&sort=-harm", ["past", "open", "far"]),
        ("state=all&organization=%00", ["open", "past", "far"]),
    ],
)
def test_notices_are_filtered_and_sorted_by_the_url(owner, preset, query, found):
    elsewhere = make_organization("faraway")
    pks = {
        "open": add_notice(preset).pk,
        "past": add_notice(preset, hours=9, lasted=1, harm=3).pk,
        "far": add_notice(kind="quota_warning", hours=20, lasted=2, organization=elsewhere).pk,
    }

    assert shown(client_of(owner).get(f"{LIST}?{query}")) == [pks[name] for name in found]


@pytest.mark.parametrize(
    ("kind", "label", "url"),
    [
        ("hard_limited", "Retry", "/presets/{preset}/retry"),
        ("validation_failed", "Edit preset", "/presets/{preset}/edit"),
        ("bad_schedule", "Edit preset", "/presets/{preset}/edit"),
        ("quota", "Raise quota", "/organizations/{home}/#groups"),
        ("quota_warning", "Raise quota", "/organizations/{home}/#groups"),
    ],
)
def test_each_kind_has_its_one_remedy(owner, preset, kind, label, url):
    add_notice(None if kind == "quota_warning" else preset, kind)

    remedy = client_of(owner).get(LIST).context["notices"][0].remedy

    assert remedy.label == label
    assert remedy.url == url.format(preset=preset.pk, home=default_organization().pk)


def test_a_stuck_deletion_leads_to_the_workspaces_that_failed(owner, preset):
    add_notice(preset, "stuck_deletion")

    remedy = client_of(owner).get(LIST).context["notices"][0].remedy

    assert "status%3Afailed" in remedy.url
    assert client_of(owner).get(remedy.url).status_code == 200


def test_a_replaced_resource_leads_to_the_workspace_it_happened_to(owner, preset):
    workspace = make_workspace(template=preset.version.template)
    claim = Claim.objects.get(workspace=workspace)
    add_notice(preset, "resource_replaced", claim=claim)

    remedy = client_of(owner).get(LIST).context["notices"][0].remedy

    assert remedy.url == f"/workspaces/{workspace.pk}/"


def test_the_cold_starts_of_a_notice_lead_to_their_claims_for_who_may_read_them(preset):
    add_notice(preset, hours=30, lasted=4.5, harm=14)

    read = visitor("auditor").get(f"{LIST}?state=past").context["notices"][0]
    unread = visitor("member").get(f"{LIST}?state=past").context["notices"][0]

    assert visitor("auditor").get(read.harm_url).status_code == 200
    assert unread.harm_url == ""


@pytest.mark.parametrize("kind", ["auditor", "member"])
def test_who_may_not_act_is_offered_no_action(preset, kind):
    add_notice(preset)

    response = visitor(kind).get(LIST)

    assert response.context["notices"][0].remedy is None
    assert "An administrator has to act" in response.text


def test_a_remedy_with_a_plan_comes_back_to_the_list(owner, preset):
    add_notice(preset)
    client = client_of(owner)

    assert f"/presets/{preset.pk}/retry?back=/notices/%3Fkind%3Dhard_limited" in (
        client.get(f"{LIST}?kind=hard_limited").text
    )


def test_an_export_holds_all_that_match(owner, preset):
    for number in range(60):
        add_notice(preset, hours=number + 2, lasted=1, harm=2)
    add_notice(preset)

    response = client_of(owner).get(f"{LIST}?state=past&format=csv")

    rows = list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode())))
    assert len(rows) == 60
    assert (rows[0]["template"], rows[0]["cold_starts"], rows[0]["lasted_seconds"]) == (
        "python",
        "2",
        "3600.0",
    )


def test_without_notices_the_page_says_that_nothing_is_the_matter(owner):
    assert "Nothing is the matter" in client_of(owner).get(LIST).text
    assert "No such notice" in client_of(owner).get(f"{LIST}?state=past").text


def test_the_list_costs_the_same_with_one_notice_and_with_fifty(
    owner, preset, django_assert_max_num_queries
):
    for number in range(50):
        add_notice(preset, hours=number + 2, lasted=1, harm=1)
    client = client_of(owner)

    with django_assert_max_num_queries(8):
        client.get(f"{LIST}?state=all")
    with django_assert_max_num_queries(6):
        client.get(f"{LIST}table?state=all")
