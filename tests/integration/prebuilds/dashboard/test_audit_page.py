"""The audit log's page: who did what to which object, found by filters, read as a difference."""

import csv
import io
import json
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import audit
from accounts.audit import AT_THE_SHELL, Actor
from accounts.enums import AuditSource
from accounts.models import AuditEntry
from prebuilds.models import PrebuildsSettings
from tests.factories import default_organization, make_template, make_user, preset_of
from tests.integration.prebuilds.dashboard.visitors import client_of, text_of, visitor

pytestmark = pytest.mark.django_db

LIST = "/audit/"


@pytest.fixture
def owner():
    return make_user("olga", roles=["owner"])


def add_entry(actor=AT_THE_SHELL, action="retry", target=None, days=0, **fields) -> AuditEntry:
    target = target or default_organization()
    now = timezone.now() - timedelta(days=days)
    return audit.record(actor=actor, action=action, target=target, now=now, **fields)


def shown(response) -> list[int]:
    return [one.entry.pk for one in response.context["entries"]]


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("owner", 200),
        ("auditor", 200),
        ("template admin", 404),
        ("user admin", 404),
        ("organization admin", 404),
        ("member", 404),
        ("stranger", 302),
    ],
)
def test_the_log_is_for_who_may_read_it_and_only_they_see_the_way(kind, status):
    client = visitor(kind)

    assert client.get(LIST).status_code == status
    assert client.get(f"{LIST}?format=csv").status_code == status
    if kind != "stranger":
        assert ('href="/audit/"' in client.get("/account/").text) == (status == 200)


def test_an_entry_says_who_did_what_when_and_through_which_door(owner):
    actor = Actor(user=owner, source=AuditSource.PAGE, address="192.0.2.7")
    add_entry(
        actor, "set_roles", owner, before={"roles": []}, after={"roles": ["owner", "auditor"]}
    )

    text = text_of(client_of(owner).get(LIST))

    assert "olga</a>" in text
    assert "Page, 192.0.2.7" in text
    assert 'set roles</span> <span class="text-secondary">person' in text
    assert "before: </span>nothing</del>" in text
    assert "after: </span>owner, auditor</ins>" in text


def test_values_are_said_as_people_say_them_and_are_never_markup(owner):
    add_entry(
        before={"paused": False, "reason": "<b>x</b>", "was": "y" * 400},
        after={"paused": True, "ttl_seconds": 3600, "schedules": [{"cron": "* 8 * * *"}]},
    )

    text = text_of(client_of(owner).get(LIST))

    assert 'no</del> <ins><span class="visually-hidden">after: </span>yes' in text
    assert "<b>x</b>" not in text
    assert "ttl seconds" in text
    assert "3600" in text
    assert "y" * 301 not in text


def test_an_instant_is_said_without_what_nobody_reads(owner):
    add_entry(
        before={"until": "2026-03-04T12:00:00.123456+01:00"}, after={"until": "2026-99-99T12:00"}
    )

    text = text_of(client_of(owner).get(LIST))

    assert "2026-03-04 11:00:00 UTC" in text
    assert "2026-99-99T12:00" in text


def test_objects_link_to_their_pages_where_there_is_one(owner):
    preset = preset_of(make_template())
    row = PrebuildsSettings.objects.create()
    for target in (preset, owner, default_organization(), row):
        add_entry(target=target)
    gone = add_entry(action="delete", target=owner)

    response = client_of(owner).get(LIST)

    urls = {one.entry.object_type: one.url for one in response.context["entries"][1:]}
    assert urls == {
        "preset": f"/presets/{preset.pk}/",
        "user": f"/people/{owner.pk}/",
        "organization": f"/organizations/{default_organization().pk}/",
        "prebuildssettings": "/settings/",
    }
    assert response.context["entries"][0].entry == gone
    assert response.context["entries"][0].url == ""


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["new", "shell", "old"]),
        ("actor=OLG", ["new", "old"]),
        ("action=pause", ["old"]),
        ("type=user", ["new"]),
        ("source=command", ["shell"]),
        ("q=olg", ["new"]),
        ("since=yesterday&type=user", ["new"]),
        ("since=2026-02-31", ["new", "shell", "old"]),
        ("q=%00nothing-like-it", []),
    ],
)
def test_entries_are_found_by_actor_action_type_door_and_text(owner, query, found):
    by = Actor(user=owner, source=AuditSource.API)
    entries = {
        "old": add_entry(by, "pause", days=5).pk,
        "shell": add_entry(days=1).pk,
        "new": add_entry(by, target=owner).pk,
    }

    response = client_of(owner).get(f"{LIST}?{query}")

    assert shown(response) == [entries[name] for name in found]


def test_since_counts_from_the_days_midnight(owner):
    add_entry(days=3)
    new = add_entry(days=1)
    day = (timezone.now() - timedelta(days=2)).date().isoformat()

    response = client_of(owner).get(f"{LIST}?since={day}")

    assert shown(response) == [new.pk]
    assert f'value="{day}"' in response.text


def test_an_objects_id_finds_its_entries(owner):
    add_entry()
    mine = add_entry(target=owner)

    assert shown(client_of(owner).get(f"{LIST}?q={owner.pk}")) == [mine.pk]


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_an_export_holds_all_that_match(owner, kind):
    for _ in range(60):
        add_entry(after={"n": 1})
    add_entry(action="pause")

    response = client_of(owner).get(f"{LIST}?action=retry&format={kind}")

    text = b"".join(response.streaming_content).decode()
    rows = list(csv.DictReader(io.StringIO(text))) if kind == "csv" else json.loads(text)
    assert len(rows) == 60
    assert {row["action"] for row in rows} == {"retry"}


def test_a_log_without_entries_says_what_will_be_here(owner):
    client = client_of(owner)

    assert "Nothing was changed yet" in client.get(LIST).text
    assert "Show all entries" in client.get(f"{LIST}?q=x").text


def test_the_page_costs_the_same_with_fifty_entries(owner, django_assert_max_num_queries):
    for number in range(60):
        add_entry(Actor(user=make_user(), source=AuditSource.API), after={"n": number})
    client = client_of(owner)

    with django_assert_max_num_queries(7):
        response = client.get(LIST)
    assert "Page 1 of 2" in response.text
