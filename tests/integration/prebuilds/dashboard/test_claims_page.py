"""The page of claims: who asked, warm or cold and why, how long it took, what a number counts."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from prebuilds.dashboard.claims.asked import claims_url, read_filter, read_instant
from prebuilds.models import Claim, ClaimReason
from templates_app.services import PresetSpec
from tests.factories import (
    make_organization,
    make_template,
    make_user,
    make_workspace,
    preset_of,
)
from tests.integration.prebuilds.dashboard.visitors import client_of, text_of, visitor

pytestmark = pytest.mark.django_db

LIST = "/claims/"
NOW = datetime(2026, 3, 4, 12, 30, tzinfo=UTC)


@pytest.fixture
def owner():
    return make_user("olga", roles=["owner"])


@pytest.fixture
def template():
    return make_template("python", presets=(PresetSpec(name="Small"), PresetSpec(name="Big one")))


def add_claim(template, *, user=None, reason="warm", hours=1.0, preset="Small", **fields):
    """Let somebody have asked for a workspace."""
    workspace = make_workspace(user, template=template, name=fields.pop("name", ""))
    claim = Claim.objects.get(workspace=workspace)
    claim.preset = preset_of(template, preset) if preset else None
    claim.outcome = "warm" if reason == "warm" else "cold"
    claim.reason = reason
    claim.created_at = timezone.now() - timedelta(hours=hours)
    for name, value in fields.items():
        setattr(claim, name, value)
    claim.save()
    return claim


def refuse(template, user):
    return Claim.objects.create(
        template=template, preset=preset_of(template), user=user, outcome="cold", reason="quota"
    )


def shown(response) -> list[object]:
    return [one.claim.pk for one in response.context["claims"]]


def downloaded(response) -> str:
    return b"".join(response.streaming_content).decode()


@pytest.mark.parametrize(
    ("kind", "sees"),
    [
        ("owner", True),
        ("template admin", True),
        ("auditor", True),
        ("organization admin", True),
        ("user admin", False),
        ("member", False),
        ("member elsewhere", False),
    ],
)
def test_who_may_read_workspaces_sees_what_others_asked_for(template, kind, sees):
    claim = add_claim(template)

    response = visitor(kind).get(LIST)

    assert shown(response) == ([claim.pk] if sees else [])
    assert shown(visitor(kind).get(f"{LIST}table")) == ([claim.pk] if sees else [])


def test_a_stranger_is_sent_to_the_sign_in_page():
    assert visitor("stranger").get(LIST).status_code == 302


def test_a_member_sees_their_own_and_is_told_so(template):
    ana = make_user("ana")
    mine = add_claim(template, user=ana)
    add_claim(template)

    response = client_of(ana).get(LIST)

    assert shown(response) == [mine.pk]
    assert "These are your own" in response.text
    assert 'name="user"' not in response.text


def test_an_organizations_admin_sees_nothing_of_another_one(template):
    elsewhere = make_organization("faraway")
    add_claim(make_template(organization=elsewhere), preset=None)
    mine = add_claim(template)

    assert shown(visitor("organization admin").get(LIST)) == [mine.pk]


def test_a_claim_says_who_asked_for_what_and_how_long_they_waited(owner, template):
    ana = make_user("ana")
    claim = add_claim(template, user=ana, name="shop", duration_seconds=0.4, wait_seconds=75)

    text = text_of(client_of(owner).get(LIST))

    assert f'href="/people/{ana.pk}/">ana</a>' in text
    assert f'href="/presets/{claim.preset_id}/">Small</a>' in text
    assert "Warm</span></div></td>" in text
    assert 'data-label="Request took"><span class="text-nowrap">0.4 s</span></td>' in text
    assert 'data-label="Ready after"><span class="text-nowrap">1 min 15 s</span></td>' in text
    assert f'href="/workspaces/{claim.workspace_id}/">shop</a>' in text
    assert "1 request: all warm; 19 of 20 were ready within 1 min 15 s" in text


@pytest.mark.parametrize(
    ("reasons", "said"),
    [
        (["warm", "warm", "pool_empty"], "3 requests: 2 warm (67 %) and 1 cold"),
        (["pool_empty", "expired"], "2 requests: all cold"),
        ([], "No request"),
    ],
)
def test_all_that_match_are_summed_up(owner, template, reasons, said):
    for reason in reasons:
        add_claim(template, reason=reason)

    assert client_of(owner).get(LIST).context["sums"] == said


@pytest.mark.parametrize("reason", [each for each in ClaimReason if each != "warm"])
def test_a_miss_says_why_in_words(owner, template, reason):
    add_claim(template, reason=reason)

    text = text_of(client_of(owner).get(LIST))

    assert "Cold</span>" in text
    assert f'<span class="text-secondary">{reason.label}</span>'.replace("'", "&#x27;") in text


def test_what_the_quota_refused_has_no_workspace_and_says_so(owner, template):
    refuse(template, make_user("ana"))

    text = text_of(client_of(owner).get(LIST))

    assert "Refused</span>" in text
    assert "none was made" in text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["new", "other", "old"]),
        ("outcome=cold", ["other"]),
        ("outcome=nonsense&reason=nonsense&last=never", ["new", "other", "old"]),
        ("reason=pool_empty", ["other"]),
        ("preset=big one", ["other"]),
        ("preset={preset}", ["new"]),
        ("template={template}", ["new", "other"]),
        ("template=no-id", ["new", "other", "old"]),
        ("user=ana", ["new"]),
        ("user=me", ["other"]),
        ("q=sho", ["new"]),
        ("last=24h", ["new", "other"]),
        ("last=7d&outcome=warm", ["new", "old"]),
        ("sort=asked", ["old", "other", "new"]),
        ("sort=-waited", ["other", "new", "old"]),
        ("sort=outcome", ["other", "new", "old"]),
        ("q=%00", ["new", "other", "old"]),
    ],
)
def test_claims_are_found_and_sorted_by_the_url(owner, template, query, found):
    ana = make_user("ana")
    claims = {
        "new": add_claim(template, user=ana, name="shop", wait_seconds=1),
        "other": add_claim(
            template, user=owner, reason="pool_empty", hours=2, preset="Big one", wait_seconds=60
        ),
        "old": add_claim(make_template("rust"), hours=30),
    }
    asked = query.format(preset=claims["new"].preset_id, template=template.pk)

    response = client_of(owner).get(f"{LIST}?{asked}")

    assert shown(response) == [claims[name].pk for name in found]


@pytest.mark.parametrize(
    ("text", "end_of_day", "at"),
    [
        ("2026-03-04", False, datetime(2026, 3, 4, tzinfo=UTC)),
        ("2026-03-04", True, datetime(2026, 3, 5, tzinfo=UTC)),
        ("2026-03-04T12:30", True, NOW),
        ("2026-03-04T13:30:00+01:00", False, NOW),
        ("2026-02-31", False, None),
        ("0001-01-01T00:00", False, None),
        ("9999-12-31", True, None),
        ("yesterday", False, None),
        ("", True, None),
    ],
)
def test_an_instant_is_read_as_people_and_forms_write_it(text, end_of_day, at):
    assert read_instant(text, end_of_day=end_of_day) == at


def test_from_and_the_last_days_both_hold():
    asked = read_filter({"from": "2026-03-01", "until": "2026-03-04", "last": "24h"}, now=NOW)

    assert asked.since == NOW - timedelta(days=1)
    assert asked.before == datetime(2026, 3, 5, tzinfo=UTC)


def test_an_address_that_is_made_is_read_back():
    url = claims_url(outcome="cold", since=NOW, until=NOW + timedelta(hours=1), user=None)

    assert (
        url == "/claims/?outcome=cold&from=2026-03-04T12%3A30%3A00Z&until=2026-03-04T13%3A30%3A00Z"
    )
    given = {"outcome": "cold", "from": "2026-03-04T12:30:00Z", "until": "2026-03-04T13:30:00Z"}
    asked = read_filter(given, now=NOW)
    assert (asked.outcome, asked.since, asked.before) == ("cold", NOW, NOW + timedelta(hours=1))


def test_a_preset_of_an_unreadable_organization_is_not_named(template):
    hidden = make_template(
        "secret", organization=make_organization(), presets=(PresetSpec(name="X1"),)
    )

    response = client_of(make_user()).get(f"{LIST}?preset={preset_of(hidden, 'X1').pk}")

    assert "X1" not in response.text
    assert "secret" not in response.text


def test_an_export_holds_all_that_match(owner, template):
    claim = add_claim(template, user=owner, name="shop", wait_seconds=2.5)
    Claim.objects.bulk_create(
        Claim(template=template, user=owner, outcome="cold", reason="quota") for _ in range(60)
    )
    client = client_of(owner)

    table = downloaded(client.get(f"{LIST}?reason=quota&format=csv"))
    (row,) = json.loads(downloaded(client.get(f"{LIST}?outcome=warm&format=json")))

    assert len(list(csv.DictReader(io.StringIO(table)))) == 60
    assert (row["id"], row["user"], row["preset"]) == (str(claim.pk), "olga", "Small")
    assert (row["workspace"], row["reason"], row["wait_seconds"]) == ("shop", "warm", 2.5)


def test_an_export_gives_a_member_nothing_of_others(template):
    add_claim(template)

    assert json.loads(downloaded(visitor("member").get(f"{LIST}?format=json"))) == []


def test_without_claims_the_page_says_how_one_comes(owner):
    assert "Nobody has asked for a workspace yet" in client_of(owner).get(LIST).text
    assert "No request matches" in client_of(owner).get(f"{LIST}?outcome=cold").text


def test_the_list_costs_the_same_with_one_claim_and_with_fifty(
    owner, template, django_assert_max_num_queries
):
    for _ in range(50):
        add_claim(template, user=owner)
    client = client_of(owner)

    with django_assert_max_num_queries(10):
        client.get(f"{LIST}?preset={preset_of(template).pk}")
    with django_assert_max_num_queries(5):
        client.get(f"{LIST}table")
