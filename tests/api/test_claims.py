"""Claims over the API: one's own requests, and those where one may read workspaces."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from prebuilds.models import Claim
from tests.api.conftest import session_of
from tests.api.people import caller
from tests.api.shape import assert_error
from tests.factories import (
    NOON,
    claim_prebuild,
    make_ready_prebuilds,
    make_template,
    make_user,
    make_workspace,
    preset_of,
)

pytestmark = pytest.mark.django_db

URL = "/api/v2/prebuilds/claims"


def claims(client, **query):
    response = client.get(URL, query)
    assert response.status_code == 200, response.content
    return response.json()


def test_a_claim_says_who_got_what_from_where_and_how_long_it_took():
    preset = preset_of(make_template("python"))
    make_ready_prebuilds(preset)
    ana = make_user("ana")
    workspace = claim_prebuild(preset, ana, name="shop", now=NOON)

    (shown,) = claims(session_of(caller("owner")))

    assert (shown["outcome"], shown["reason"]) == ("warm", "warm")
    assert (shown["user_id"], shown["user_name"]) == (str(ana.pk), "ana")
    assert (shown["template_name"], shown["template_version_name"]) == ("python", "1.0.0")
    assert (shown["preset_id"], shown["preset_name"]) == (str(preset.pk), "Small")
    assert (shown["workspace_id"], shown["workspace_name"]) == (str(workspace.pk), "shop")
    assert (shown["created_at"], shown["wait_seconds"]) == ("2026-03-04T12:00:00Z", None)
    assert shown["duration_seconds"] > 0


def test_one_the_quota_refused_has_no_workspace():
    template = make_template()
    Claim.objects.create(template=template, user=make_user(), outcome="cold", reason="quota")

    (shown,) = claims(session_of(caller("owner")))

    assert (shown["preset_id"], shown["preset_name"]) == (None, "")
    assert (shown["workspace_id"], shown["workspace_name"]) == (None, "")


def test_a_member_is_shown_their_own():
    ana = make_user("ana")
    mine = make_workspace(ana)
    make_workspace()

    assert [one["workspace_id"] for one in claims(session_of(ana))] == [str(mine.pk)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"outcome": "warm"}, []),
        ({"outcome": "cold"}, ["late", "early"]),
        ({"reason": "no_pool"}, ["early"]),
        ({"user": "me"}, ["late"]),
        ({"user": "AN"}, ["early"]),
        ({"since": "2026-03-04T12:00:00Z"}, ["late"]),
        ({"before": "2026-03-04T12:00:00Z"}, ["early"]),
        ({"limit": 1, "offset": 1}, ["early"]),
    ],
)
def test_claims_are_found_by_their_filters(query, found):
    owner = caller("owner")
    make_workspace(make_user("ana"), name="early", now=NOON - timedelta(hours=1))
    Claim.objects.update(reason="no_pool")
    make_workspace(owner, name="late", now=NOON)

    assert [one["workspace_name"] for one in claims(session_of(owner), **query)] == found


def test_the_template_and_the_preset_narrow_it_down():
    template = make_template("python")
    mine = make_workspace(template=template)
    Claim.objects.update(preset=preset_of(template))
    make_workspace()
    client = session_of(caller("owner"))

    for query in ({"template_id": template.pk}, {"preset_id": preset_of(template).pk}):
        assert [one["workspace_id"] for one in claims(client, **query)] == [str(mine.pk)]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"outcome": "hot"}, "outcome"),
        ({"preset_id": "small"}, "preset_id"),
        ({"since": "yesterday"}, "since"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_what_is_not_understood_is_an_error_at_its_field(query, field):
    response = session_of(caller("owner")).get(URL, query)

    assert_error(response, 400, fields=[field])


def test_a_list_costs_the_same_with_one_claim_and_with_many():
    client = session_of(caller("owner"))
    make_workspace()
    claims(client)

    with CaptureQueriesContext(connection) as one:
        claims(client)
    for _ in range(5):
        make_workspace()
    with CaptureQueriesContext(connection) as many:
        claims(client)

    assert len(many) == len(one)
