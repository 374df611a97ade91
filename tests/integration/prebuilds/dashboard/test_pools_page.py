"""The pools page: what it says, to whom, and what it costs."""

import csv
import io
import json
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from prebuilds.models import Claim, Notice, PoolHour, PrebuildsSettings, ReconcileRun
from templates_app.models import Preset, PresetSchedule
from tests.integration.prebuilds.dashboard.house import (
    House,
    add_preset,
    add_template,
    add_workspace,
)

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])


def count_statements(client: Client, address: str) -> int:
    # ContentType and policy caches warm up with the first request.
    client.get(address)
    with (
        CaptureQueriesContext(connections["default"]) as default,
        CaptureQueriesContext(connections["snapshot"]) as snapshot,
    ):
        assert client.get(address).status_code == 200
    statements = [query["sql"] for query in (*default, *snapshot)]
    return sum(
        not sql.startswith(("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")) for sql in statements
    )


def add_claim(house: House, outcome: str, *, preset: Preset | None = None) -> Claim:
    preset = preset or house.preset
    return Claim.objects.create(
        workspace=add_workspace(preset, owner_id=house.member.pk),
        template=house.template,
        preset=preset,
        user=house.member,
        outcome=outcome,
        reason="warm" if outcome == "warm" else "pool_empty",
        created_at=timezone.now() - timedelta(minutes=1),
    )


def add_notice(house: House, *, detail: str, preset: Preset | None = None) -> Notice:
    return Notice.objects.create(
        kind="hard_limited",
        organization=house.organization,
        preset=preset or house.preset,
        detail=detail,
        opened_at=timezone.now() - timedelta(minutes=30),
    )


def pause() -> None:
    PrebuildsSettings.objects.update_or_create(
        pk=PrebuildsSettings.SINGLETON_ID,
        defaults={"reconciliation_paused": True, "paused_at": timezone.now()},
    )


def body_of(response: Any) -> str:
    return b"".join(response.streaming_content).decode()


def test_a_full_pool_is_warm(admin_client: Client, house: House) -> None:
    for _ in range(2):
        add_workspace(house.preset)

    text = admin_client.get("/").text

    assert "The pool is warm" in text
    assert "2 desired: 2 ready" in text
    assert "Healthy" in text


def test_what_is_not_ready_yet_is_told_apart(admin_client: Client, house: House) -> None:
    add_workspace(house.preset)
    add_workspace(house.preset, agent="starting")

    assert "2 desired: 1 ready and 1 not ready yet" in admin_client.get("/").text


def test_the_fragment_is_the_live_part_of_the_page(admin_client: Client, house: House) -> None:
    add_workspace(house.preset)

    fragment = admin_client.get("/pools/table", headers={"HX-Request": "true"}).text

    assert fragment.lstrip().startswith('<div id="pools"')
    assert "<html" not in fragment
    assert "2 desired: 1 ready" in fragment


def test_a_chip_filters_the_table_and_the_fragment_keeps_the_filter(
    admin_client: Client, house: House
) -> None:
    for _ in range(2):
        add_workspace(house.preset)

    text = admin_client.get("/?health=hard_limited").text

    assert "No pool is “Hard-limited” now" in text
    assert 'hx-get="/pools/table?health=hard_limited"' in text


def test_an_unknown_filter_shows_all(admin_client: Client, house: House) -> None:
    assert 'id="pool-' in admin_client.get("/?health=nonsense").text


def test_without_pools_the_page_teaches(admin_client: Client, house: House) -> None:
    Preset.objects.update(desired_instances=None)

    text = admin_client.get("/").text

    assert "No pool yet" in text
    assert "manage.py demo" in text


def test_a_member_sees_the_pools_without_links_to_their_members(
    member_client: Client, house: House
) -> None:
    text = member_client.get("/").text

    assert "Small" in text
    assert "owner%3Aprebuilds" not in text
    assert ">Admin<" not in text


def test_a_member_of_another_organization_sees_no_pool(member_client: Client, house: House) -> None:
    house.member.memberships.all().delete()

    assert "No pool yet" in member_client.get("/").text


def test_pausing_is_said(admin_client: Client, house: House) -> None:
    PrebuildsSettings.objects.update_or_create(
        pk=PrebuildsSettings.SINGLETON_ID,
        defaults={"reconciliation_paused": True, "paused_at": timezone.now()},
    )

    assert "Paused" in admin_client.get("/").text


def test_the_number_of_statements_does_not_grow_with_the_pools(
    admin_client: Client, house: House
) -> None:
    few = count_statements(admin_client, "/")

    for number in range(4):
        template = add_template(house.organization, house.admin, f"template-{number}")
        for preset in range(3):
            add_workspace(add_preset(template, f"preset-{preset}", 2))

    assert count_statements(admin_client, "/") == few
    assert count_statements(admin_client, "/pools/table") <= few


def test_the_page_stays_within_its_budget_of_statements(admin_client: Client, house: House) -> None:
    assert count_statements(admin_client, "/") <= 12  # session and person included


def test_a_refresh_costs_no_more_than_the_page(admin_client: Client, house: House) -> None:
    assert count_statements(admin_client, "/pools/table") <= count_statements(admin_client, "/")


@pytest.mark.parametrize(
    ("search", "found"),
    [("small", True), ("PYTHON sma", True), ("v1", True), ("large", False), ("python x", False)],
)
def test_a_search_finds_pools_whose_names_hold_every_word(
    admin_client: Client, house: House, search: str, found: bool
) -> None:
    text = admin_client.get("/", {"q": search}).text

    assert (f'id="pool-{house.preset.pk}"' in text) is found
    assert f'value="{search}"' in text


def test_a_search_keeps_the_health_and_the_chips_keep_the_search(
    admin_client: Client, house: House
) -> None:
    text = admin_client.get("/?q=small&health=filling").text

    assert 'name="health" value="filling"' in text
    assert "/?q=small&amp;health=" in text or 'href="/?q=small"' in text
    assert 'hx-get="/pools/table?q=small&amp;health=filling"' in text


def test_what_the_search_shows_is_escaped(admin_client: Client, house: House) -> None:
    Preset.objects.update(name="<b>bold</b>")

    text = admin_client.get("/", {"q": "<b>"}).text

    assert "<b>bold" not in text
    assert "&lt;b&gt;bold&lt;/b&gt;" in text


def test_a_row_says_how_warm_the_day_was_and_draws_it(admin_client: Client, house: House) -> None:
    for outcome in ("warm", "warm", "warm", "cold"):
        add_claim(house, outcome)
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    PoolHour.objects.create(
        preset=house.preset, hour=hour, warm=3, cold=1, samples=1, desired_sum=2, ready_sum=2
    )

    text = admin_client.get("/").text

    assert "75 %" in text
    assert "Last 24 hours: 3 claims, 1 miss; 2 ready on average in an hour" in text
    assert 'class="spark-cold" d="M' in text


def test_the_next_step_of_a_schedule_is_in_the_presets_zone(
    admin_client: Client, house: House
) -> None:
    Preset.objects.update(scheduling_timezone="Asia/Tokyo")
    now = datetime.now(ZoneInfo("Asia/Tokyo"))
    hour = (now.hour + 2) % 24
    PresetSchedule.objects.create(
        preset=house.preset, cron_expression=f"* {hour} * * *", desired_instances=7
    )

    text = admin_client.get("/").text

    assert "→ 7 at" in text
    assert f"{hour:02}:00 JST</time>" in text
    assert "(Asia/Tokyo)" in text


def test_an_open_notice_says_why_what_happens_next_and_what_to_press(
    admin_client: Client, house: House
) -> None:
    add_notice(house, detail="no such image: base:nightly")

    text = admin_client.get("/").text

    assert "no such image: base:nightly" in text
    assert "Nothing is built until somebody presses Retry." in text
    assert f'hx-get="/presets/{house.preset.pk}/retry?back=/"' in text


def test_a_long_cause_is_folded_with_its_first_and_last_line_in_view(
    admin_client: Client, house: House
) -> None:
    add_notice(house, detail="It ended with 1.\npulling\nno such image")

    text = admin_client.get("/").text

    assert "<summary>It ended with 1. … no such image</summary>" in text
    assert "pulling" in text


def test_what_did_the_most_harm_in_the_last_hour_comes_first(
    admin_client: Client, house: House
) -> None:
    add_notice(house, detail="quiet")
    other = add_preset(house.template, "Large", 2)
    add_notice(house, preset=other, detail="harmful")
    add_claim(house, "cold", preset=other)

    text = admin_client.get("/").text

    assert text.index("harmful") < text.index("quiet")
    assert "1 cold start in the last hour" in text


def test_a_pool_that_backs_off_is_listed_with_the_errors_own_words(
    admin_client: Client, house: House
) -> None:
    add_workspace(house.preset, agent="", error="disk full", created_at=timezone.now())

    text = admin_client.get("/").text

    assert "Backing off" in text
    assert "disk full" in text
    assert f'href="/presets/{house.preset.pk}/#attempts"' in text


def test_without_trouble_nothing_is_said_to_need_anybody(
    admin_client: Client, house: House
) -> None:
    for _ in range(2):
        add_workspace(house.preset)

    assert 'id="attention"' not in admin_client.get("/").text


def test_the_tiles_answer_with_numbers_that_lead_to_their_lists(
    admin_client: Client, house: House
) -> None:
    add_workspace(house.preset)
    add_claim(house, "warm")
    run = ReconcileRun.objects.create(
        trigger="bell", started_at=timezone.now(), completed_at=timezone.now()
    )

    text = admin_client.get("/").text

    assert "100 % in 24 h" in text
    assert "1 claim" in text
    assert "1 of 2" in text
    assert "no trend yet" in text
    assert f'href="/cycles/{run.pk}/"' in text
    assert "0 provisioners online" in text


def test_a_reconciler_that_missed_its_tick_is_told(admin_client: Client, house: House) -> None:
    long_ago = timezone.now() - timedelta(hours=1)
    ReconcileRun.objects.create(trigger="bell", started_at=long_ago, completed_at=long_ago)

    assert "overdue: does the worker run?" in admin_client.get("/").text


def test_a_member_sees_no_tiles_no_actions_and_no_pause(
    member_client: Client, house: House
) -> None:
    add_notice(house, detail="no such image")

    text = member_client.get("/").text

    assert "no such image" in text
    for missing in ('id="tiles"', "/retry", 'id="bulk-menu"', 'id="pause"', 'class="menu"'):
        assert missing not in text


@pytest.mark.parametrize("address", ["/", "/workspaces/", "/cycles/"])
def test_a_pause_is_said_on_every_page_with_who_why_and_until_when(
    admin_client: Client, house: House, address: str
) -> None:
    now = timezone.now()
    PrebuildsSettings.objects.update_or_create(
        pk=PrebuildsSettings.SINGLETON_ID,
        defaults={
            "reconciliation_paused": True,
            "paused_by": house.admin,
            "paused_at": now,
            "paused_until": now + timedelta(hours=1),
            "pause_reason": "flooded <b>queue</b>",
        },
    )

    text = admin_client.get(address).text

    assert "by Ana Lima" in text
    assert "flooded &lt;b&gt;queue&lt;/b&gt;" in text
    assert 'href="/reconcile/resume"' in text


def test_a_member_is_told_of_a_pause_but_cannot_end_it(member_client: Client, house: House) -> None:
    pause()

    text = member_client.get("/").text

    assert "Reconciliation is paused" in text
    assert "/reconcile/resume" not in text


def test_a_refresh_brings_the_banner_of_a_pause_along(admin_client: Client, house: House) -> None:
    pause()

    fragment = admin_client.get("/pools/table", headers={"HX-Request": "true"}).text

    assert 'hx-swap-oob="outerMorph"' in fragment
    assert "Reconciliation is paused" in fragment


def test_the_matching_pools_are_given_away_as_csv_and_json(
    admin_client: Client, house: House
) -> None:
    add_preset(house.template, "Large", 1)
    add_claim(house, "warm")

    rows = list(csv.DictReader(io.StringIO(body_of(admin_client.get("/?q=small&format=csv")))))
    values = json.loads(body_of(admin_client.get("/?format=json")))

    assert [(row["preset_name"], row["desired"], row["claims_24h"]) for row in rows] == [
        ("Small", "2", "1")
    ]
    assert {value["preset_name"] for value in values} == {"Small", "Large"}
    assert {value["warm_rate_24h"] for value in values} == {1.0, None}


def test_a_long_table_is_cut_into_pages(admin_client: Client, house: House) -> None:
    for number in range(50):
        add_preset(house.template, f"preset-{number:02}", 1)

    first, second = admin_client.get("/").text, admin_client.get("/?page=2").text

    assert "Page 1 of 2" in first
    assert "51 pools" in second
    assert first.count('class="pool-row"') == 50
    assert second.count('class="pool-row"') == 1


def test_a_quota_is_raised_by_who_may_and_the_others_are_told_whom_to_ask(
    admin_client: Client, client: Client, house: House
) -> None:
    Notice.objects.create(
        kind="quota",
        organization=house.organization,
        preset=house.preset,
        detail="1 prebuild waits",
        opened_at=timezone.now(),
    )
    client.force_login(User.objects.create_user("tess", roles=["template-admin"]))
    groups = f'href="/organizations/{house.organization.pk}/#groups"'

    assert groups in admin_client.get("/").text
    text = client.get("/").text
    assert groups not in text
    assert "Ask somebody who manages groups to raise it." in text
