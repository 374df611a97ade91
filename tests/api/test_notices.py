"""Notices over the API: what is the matter with the pools one may read."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from prebuilds.models import Notice, NoticeKind
from tests.api.conftest import session_of
from tests.api.people import caller
from tests.api.shape import assert_error
from tests.factories import make_organization, make_template, preset_of

pytestmark = pytest.mark.django_db

URL = "/api/v2/prebuilds/notices"


def make_notice(template=None, *, closed=False, kind=NoticeKind.HARD_LIMITED):
    template = template or make_template()
    now = timezone.now()
    return Notice.objects.create(
        kind=kind,
        organization_id=template.organization_id,
        preset=preset_of(template),
        detail="exit 1",
        details={"failures": 3},
        opened_at=now - timedelta(hours=2),
        closed_at=now - timedelta(hours=1) if closed else None,
        cold_starts=4 if closed else None,
    )


def notices(client, **query):
    response = client.get(URL, query)
    assert response.status_code == 200, response.content
    return response.json()


def test_an_open_notice_says_what_is_the_matter_since_when_and_what_it_costs():
    template = make_template("python")
    notice = make_notice(template)

    (shown,) = notices(session_of(caller("owner")))

    assert (shown["id"], shown["kind"]) == (str(notice.pk), "hard_limited")
    assert (shown["title"], shown["detail"]) == ("Stopped after repeated failures", "exit 1")
    assert (shown["details"], shown["template_name"]) == ({"failures": 3}, "python")
    assert (shown["preset_name"], shown["workspace_id"]) == ("Small", None)
    assert (shown["closed_at"], shown["cold_starts"]) == (None, 0)
    assert 7_200 <= shown["lasted_seconds"] < 7_300


def test_closed_ones_are_shown_when_they_are_asked_for():
    closed, still_open = make_notice(closed=True), make_notice()
    client = session_of(caller("owner"))

    assert [each["id"] for each in notices(client, open="true")] == [str(still_open.pk)]
    both = notices(client, open="false")
    assert [each["id"] for each in both] == [str(still_open.pk), str(closed.pk)]
    assert (both[1]["cold_starts"], both[1]["lasted_seconds"]) == (4, 3_600.0)
    assert len(notices(client, open="false", limit=1)) == 1


def test_one_is_told_of_ones_own_organizations_only():
    make_notice(make_template("here"))
    make_notice(make_template("there", organization=make_organization()))

    def names(kind):
        return {each["template_name"] for each in notices(session_of(caller(kind)))}

    assert names("auditor") == {"here", "there"}
    assert names("member") == names("organization-admin") == {"here"}
    assert names("stranger") == names("user-admin") - {"here"} == set()


@pytest.mark.parametrize("query", [{"open": "x"}, {"limit": "0"}, {"closed": "true"}], ids=str)
def test_a_bad_query_is_400_with_the_parameter_named(query):
    assert_error(session_of(caller("owner")).get(URL, query), 400, fields=list(query))


def test_a_list_costs_the_same_for_one_and_for_five():
    client = session_of(caller("owner"))
    make_notice()

    def statements():
        with CaptureQueriesContext(connection) as captured:
            notices(client)
        return len(captured)

    one = statements()
    for _ in range(4):
        make_notice()

    assert statements() == one
