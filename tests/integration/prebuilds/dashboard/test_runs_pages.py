"""The pages of cycles: the list with its filters, order, pages and exports, and one cycle."""

import csv
import io
import json
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from prebuilds.dashboard.base.triggers import words_of
from prebuilds.models import ReconcileDecision, ReconcileRun, Trigger
from tests.integration.prebuilds.dashboard.house import House

pytestmark = pytest.mark.django_db

LIST = "/cycles/"
STATE = {"desired": 2, "eligible": 0, "actual": 0, "starting": 0, "expired": 0, "deleting": 0}


def add_run(*, minutes=0, seconds=1.0, trigger="schedule", **fields) -> ReconcileRun:
    started = timezone.now() - timedelta(minutes=minutes)
    ended = started + timedelta(seconds=seconds)
    return ReconcileRun.objects.create(
        trigger=trigger, started_at=started, completed_at=ended, **fields
    )


def shown(response) -> list[int]:
    return [run.pk for run in response.context["listing"].rows]


def test_cycles_are_listed_newest_first_with_what_they_did(admin_client: Client, house) -> None:
    old = add_run(minutes=5)
    new = add_run(created=3, presets_total=7)

    response = admin_client.get(LIST)

    assert shown(response) == [new.pk, old.pk]
    assert "Changed pools" in response.text
    assert "Nothing to do" in response.text


def test_a_heading_pressed_twice_sorts_the_other_way(admin_client: Client, house) -> None:
    slow, quick = add_run(seconds=9), add_run(seconds=1)

    ascending = admin_client.get(f"{LIST}?sort=elapsed")
    (heading,) = [one for one in ascending.context["headings"] if one.key == "elapsed"]
    descending = admin_client.get(f"{LIST}?{heading.query}")

    assert heading.direction == "ascending"
    assert (shown(ascending), shown(descending)) == ([quick.pk, slow.pk], [slow.pk, quick.pk])


def test_an_order_that_does_not_exist_is_the_usual_one(admin_client: Client, house) -> None:
    old, new = add_run(minutes=1), add_run()

    assert shown(admin_client.get(f"{LIST}?sort=password")) == [new.pk, old.pk]


def test_filters_live_in_the_url_and_in_every_link(admin_client: Client, house) -> None:
    add_run()
    busy = add_run(created=1, trigger="bell")
    add_run(created=1, trigger="schedule")

    response = admin_client.get(f"{LIST}?trigger=bell&busy=yes")

    assert shown(response) == [busy.pk]
    assert "trigger=bell&amp;busy=yes&amp;format=csv" in response.text
    assert "trigger=bell&amp;busy=yes&amp;sort=elapsed" in response.text


@pytest.mark.parametrize("trigger", Trigger.values)
def test_what_started_a_cycle_is_said_in_plain_words_at_it_in_the_filter_and_below(
    admin_client: Client, house, trigger
) -> None:
    run = add_run(trigger=trigger)
    words = words_of(trigger)

    listed = admin_client.get(f"{LIST}?trigger={trigger}").text
    page = admin_client.get(f"{LIST}{run.pk}/").text

    assert f'{words.name} <span class="text-secondary">· {escape(words.short)}</span>' in listed
    assert (
        f'<option value="{trigger}" selected>{words.name}: {escape(words.short)}</option>' in listed
    )
    assert "<summary>What starts a cycle</summary>" in listed
    assert escape(words.sentence) in listed
    assert escape(words.sentence) in page


def test_a_long_list_has_pages(admin_client: Client, house) -> None:
    for number in range(51):
        add_run(minutes=number)

    first, last = admin_client.get(LIST), admin_client.get(f"{LIST}?page=99")

    assert (len(shown(first)), len(shown(last))) == (50, 1)
    assert "Page 1 of 2" in first.text
    assert "Page 2 of 2" in last.text


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_an_export_holds_all_matching_rows_and_no_others(
    admin_client: Client, house, kind: str
) -> None:
    for number in range(60):
        add_run(minutes=number, trigger="bell")
    add_run(trigger="command")

    response = admin_client.get(f"{LIST}?trigger=bell&format={kind}")

    text = b"".join(response.streaming_content).decode()
    assert f'filename="cycles.{kind}"' in response["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(text))) if kind == "csv" else json.loads(text)
    assert len(rows) == 60
    assert {row["trigger"] for row in rows} == {"bell"}


def test_a_cell_that_a_spreadsheet_would_run_is_made_text(admin_client: Client, house) -> None:
    add_run(error="=HYPERLINK()")

    response = admin_client.get(f"{LIST}?format=csv")

    assert "'=HYPERLINK()" in b"".join(response.streaming_content).decode()


def test_one_cycle_says_what_it_saw_and_did_alike_things_together(
    admin_client: Client, house: House
) -> None:
    run = add_run(created=2, deleted=3)
    deletions = [
        {"action": "delete", "reason": "expired", "workspace_id": str(n), "result": "deleted"}
        for n in range(3)
    ]
    ReconcileDecision.objects.create(
        run=run,
        preset=house.preset,
        state=STATE,
        actions=[
            *deletions,
            {"action": "create", "reason": "missing", "count": 1, "wanted": 2},
            {"action": "hold", "reason": "backing_off", "count": 4, "until": None},
        ],
    )

    text = " ".join(admin_client.get(f"{LIST}{run.pk}/").text.split())

    assert "2 desired" in text
    assert "Delete 3</span> expired" in text
    assert "Create 1</span> missing" in text
    assert "2 were wanted; the recount found the rest in place" in text
    assert "Held 4</span> backing off" in text


def test_a_cycle_that_was_cut_off_shows_its_error(admin_client: Client, house) -> None:
    run = ReconcileRun.objects.create(
        trigger="bell", started_at=timezone.now(), error="OperationalError: gone"
    )

    page = admin_client.get(f"{LIST}{run.pk}/")

    assert "OperationalError: gone" in page.text
    assert "It did not end" in page.text


def test_a_member_neither_sees_cycles_nor_the_way_to_them(member_client: Client, house) -> None:
    run = add_run()

    assert member_client.get(LIST).status_code == 404
    assert member_client.get(f"{LIST}table").status_code == 404
    assert member_client.get(f"{LIST}{run.pk}/").status_code == 404
    assert 'href="/cycles/"' not in member_client.get("/workspaces/").text


def test_the_list_costs_the_same_with_one_cycle_and_with_fifty(
    admin_client: Client, house, django_assert_max_num_queries
) -> None:
    for number in range(50):
        add_run(minutes=number)

    with django_assert_max_num_queries(6):
        admin_client.get(LIST)
    with django_assert_max_num_queries(5):
        admin_client.get(f"{LIST}table")
