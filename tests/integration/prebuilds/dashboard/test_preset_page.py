"""The page of one preset: what it says of the pool, to whom, and what can be done to it."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import AuditEntry, Membership, Organization, User
from prebuilds.models import Notice, PoolHour, ReconcileDecision, ReconcileRun
from templates_app.models import Preset, PresetSchedule
from tests.integration.prebuilds.dashboard.house import House, add_preset, add_workspace
from workspaces.models import JobLog, WorkspaceBuild

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])

FRAGMENT = {"HX-Request": "true"}
STATE = {"desired": 2, "eligible": 0, "actual": 0, "starting": 0, "expired": 0, "deleting": 0}


def url_of(preset: Preset, rest: str = "") -> str:
    return f"/presets/{preset.pk}/{rest}"


def client_of(username: str, house: House, **fields: Any) -> Client:
    user = User.objects.create_user(username, **fields)
    Membership.objects.create(organization=house.organization, user=user)
    client = Client()
    client.force_login(user)
    return client


def words(text: str) -> str:
    return " ".join(text.split())


def statements_of(ask: Callable[[], object]) -> int:
    with CaptureQueriesContext(connections["default"]) as captured:
        ask()
    return len(captured)


def open_notice(preset: Preset, detail: str = "image not found", **fields: Any) -> Notice:
    return Notice.objects.create(
        **{
            "kind": "hard_limited",
            "organization": preset.version.template.organization,
            "preset": preset,
            "detail": detail,
            "opened_at": timezone.now() - timedelta(minutes=9),
            **fields,
        }
    )


def add_decision(preset: Preset, *actions: dict[str, Any], minutes: int = 0) -> ReconcileDecision:
    started = timezone.now() - timedelta(minutes=minutes)
    run = ReconcileRun.objects.create(trigger="schedule", started_at=started, completed_at=started)
    return ReconcileDecision.objects.create(
        run=run, preset=preset, state=STATE, actions=list(actions)
    )


def test_the_sentence_says_what_is_desired_by_what_and_what_is_there(
    admin_client: Client, house: House
) -> None:
    PresetSchedule.objects.create(
        preset=house.preset, cron_expression="* * * * *", desired_instances=3
    )
    add_workspace(house.preset)
    add_workspace(
        house.preset,
        finished=False,
        agent="",
        created_at=timezone.now() - timedelta(seconds=40),
    )

    page = words(admin_client.get(url_of(house.preset)).text)

    assert "<strong>3 desired</strong> by <code>* * * * *</code>" in page
    assert "1 ready and 1 starting since 4" in page
    assert "usually ready after 40 s" in page


def test_a_preset_without_a_schedule_goes_by_its_own_number(
    admin_client: Client, house: House
) -> None:
    page = words(admin_client.get(url_of(house.preset)).text)

    assert "<strong>2 desired</strong> by the preset's own number; 0 ready." in page
    assert "No step in the next 14 days" in page


def test_while_paused_the_banner_and_the_pool_say_so(admin_client: Client, house: House) -> None:
    admin_client.post("/reconcile/pause", {"reason": "flooded queue"})

    page = admin_client.get(url_of(house.preset))

    assert page.context["pool"].health.word == "Paused"
    assert "flooded queue" in page.text


def test_a_preset_that_keeps_no_pool_says_so(admin_client: Client, house: House) -> None:
    Preset.objects.filter(pk=house.preset.pk).update(desired_instances=None)

    page = admin_client.get(url_of(house.preset))

    assert "No pool" in page.text
    assert "keeps no prebuilds" in page.text
    assert 'id="pool-sentence"' not in page.text


def test_members_say_how_long_they_may_still_be_claimed(admin_client: Client, house: House) -> None:
    Preset.objects.filter(pk=house.preset.pk).update(ttl_seconds=3600)
    fresh = add_workspace(house.preset, created_at=timezone.now() - timedelta(minutes=10))
    old = add_workspace(house.preset, created_at=timezone.now() - timedelta(hours=2))

    page = admin_client.get(url_of(house.preset))

    members = {one.workspace.pk: one for one in page.context["pool"].members}
    assert members[fresh.pk].left in {"50 min", "49 min 59 s", "49 min 58 s"}
    assert (members[old.pk].left, members[old.pk].status.word) == ("none", "Expired")
    assert f'href="/workspaces/{fresh.pk}/"' in page.text


def test_a_failed_attempt_is_shown_with_the_end_of_its_log(
    admin_client: Client, house: House
) -> None:
    failed = add_workspace(house.preset, agent="", error="exit code 1")
    job = WorkspaceBuild.objects.get(workspace=failed).job
    JobLog.objects.bulk_create(
        JobLog(job=job, at=timezone.now(), stage="build", output=f"line {number}")
        for number in range(30)
    )

    page = admin_client.get(url_of(house.preset))

    (attempt,) = page.context["attempts"]
    assert attempt.why == "exit code 1"
    assert attempt.log.splitlines() == [f"line {number}" for number in range(10, 30)]


def test_an_attempt_that_never_became_ready_says_so_and_an_old_failure_is_left_out(
    admin_client: Client, house: House
) -> None:
    lost = add_workspace(house.preset, agent="starting")
    WorkspaceBuild.objects.filter(workspace=lost).update(action_reason="never_ready")
    add_workspace(
        house.preset,
        agent="",
        error="exit code 1",
        created_at=timezone.now() - timedelta(days=31),
    )

    page = admin_client.get(url_of(house.preset))

    (attempt,) = page.context["attempts"]
    assert attempt.build.workspace == lost
    assert "never became ready" in attempt.why


def test_an_attempt_before_a_retry_is_said_to_be_forgotten(
    admin_client: Client, house: House
) -> None:
    add_workspace(house.preset, agent="", error="exit code 1")
    admin_client.post(url_of(house.preset, "retry"))

    page = admin_client.get(url_of(house.preset))

    assert "forgotten by Retry" in page.text


def test_an_open_notice_comes_with_what_to_press(admin_client: Client, house: House) -> None:
    notice = open_notice(house.preset)
    open_notice(
        house.preset,
        kind="bad_schedule",
        detail="was bad",
        closed_at=timezone.now(),
        cold_starts=0,
    )

    page = admin_client.get(url_of(house.preset))

    (shown,) = page.context["notices"]
    assert shown.notice == notice
    assert "image not found" in page.text
    assert shown.remedy.label == "Retry"


def test_cycles_in_a_row_that_decided_alike_are_said_once(
    admin_client: Client, house: House
) -> None:
    held = {"action": "hold", "reason": "quota", "count": 2}
    add_decision(house.preset, {"action": "create", "reason": "missing", "count": 1, "wanted": 1})
    add_decision(house.preset, held, minutes=3)
    add_decision(house.preset, held, minutes=2)

    groups = admin_client.get(url_of(house.preset)).context["decisions"]

    assert [(one.latest.actions[0].text, one.others) for one in groups] == [
        ("Held 2", 1),
        ("Create 1", 0),
    ]


def test_what_a_cycle_held_back_for_want_of_a_share_is_not_said_to_be_filling(
    admin_client: Client, house: House
) -> None:
    add_decision(house.preset, {"action": "hold", "reason": "quota", "count": 2})

    page = admin_client.get(url_of(house.preset))

    assert page.context["pool"].health.word == "Held"


def test_what_was_held_long_ago_says_nothing_of_now(admin_client: Client, house: House) -> None:
    add_decision(house.preset, {"action": "hold", "reason": "quota", "count": 2}, minutes=20)

    page = admin_client.get(url_of(house.preset))

    assert page.context["pool"].health.word == "Filling"


def test_the_timeline_holds_the_hours_of_its_span_and_what_people_did(
    admin_client: Client, house: House
) -> None:
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    for days in (0, 3, 20):
        PoolHour.objects.create(
            preset=house.preset,
            hour=hour - timedelta(days=days),
            warm=1,
            samples=2,
            desired_sum=4,
            ready_sum=2,
        )
    admin_client.post(url_of(house.preset, "invalidate"))

    day = admin_client.get(url_of(house.preset) + "?span=24h").context["timeline"]
    week = admin_client.get(url_of(house.preset)).context["timeline"]
    month = admin_client.get(url_of(house.preset) + "?span=30d").context["timeline"]

    assert [sum(filter(None, one.data["claims"])) for one in (day, week, month)] == [1, 2, 3]
    assert [len(one.data["at"]) for one in (day, week, month)] == [24, 168, 720]
    assert day.data["desired"][-1] == 2
    assert day.marks[0].text == "Invalidated (Ana Lima)"


def test_the_numbers_of_the_chart_are_data_and_no_script(
    admin_client: Client, house: House
) -> None:
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    PoolHour.objects.create(preset=house.preset, hour=hour, warm=1)

    page = admin_client.get(url_of(house.preset)).text

    _, _, rest = page.partition('<script id="timeline-data" type="application/json">')
    data = json.loads(rest.partition("</script>")[0])
    assert sum(filter(None, data["claims"])) == 1
    assert "style=" not in page


def test_a_schedule_that_cannot_be_read_does_not_break_the_page(
    admin_client: Client, house: House
) -> None:
    PresetSchedule.objects.create(preset=house.preset, cron_expression="bad", desired_instances=3)

    page = admin_client.get(url_of(house.preset))

    assert page.status_code == 200
    assert "The schedule cannot be read" in page.text


def test_a_version_that_is_not_active_says_so(admin_client: Client, house: House) -> None:
    house.template.active_version = None
    house.template.save()

    page = admin_client.get(url_of(house.preset))

    assert "is not the active one" in page.text
    assert "Not in use" in page.text


def test_names_and_errors_are_never_markup(admin_client: Client, house: House) -> None:
    nasty = add_preset(house.template, "<b>bold</b>", 1)
    open_notice(nasty, "<b>bold</b>")
    add_workspace(nasty, agent="", error="<b>bold</b>")

    page = admin_client.get(url_of(nasty)).text
    edit = admin_client.get(url_of(nasty, "edit")).text

    assert "<b>bold</b>" not in page + edit
    assert "&lt;b&gt;bold&lt;/b&gt;" in page


def test_the_live_part_is_a_fragment_of_its_own(admin_client: Client, house: House) -> None:
    fragment = admin_client.get(url_of(house.preset, "state"), headers=FRAGMENT)

    assert fragment.status_code == 200
    assert "<html" not in fragment.text
    assert "data-live-block" in fragment.text


def test_page_and_fragment_keep_their_number_of_statements(
    admin_client: Client, house: House
) -> None:
    add_workspace(house.preset)
    session_and_user = 2

    few = statements_of(lambda: admin_client.get(url_of(house.preset)))
    for _ in range(4):
        add_workspace(house.preset)
        add_workspace(house.preset, agent="", error="exit code 1")
        add_decision(house.preset, {"action": "hold", "reason": "quota", "count": 2})
    many = statements_of(lambda: admin_client.get(url_of(house.preset)))
    fragment = statements_of(lambda: admin_client.get(url_of(house.preset, "state")))

    assert few == many
    assert many - session_and_user <= 12
    assert fragment - session_and_user <= 8


def test_a_member_sees_the_pool_and_neither_its_members_nor_what_can_be_done(
    member_client: Client, house: House
) -> None:
    workspace = add_workspace(house.preset)
    open_notice(house.preset)

    page = member_client.get(url_of(house.preset))

    assert page.status_code == 200
    assert "1 ready" in words(page.text)
    for hidden in (workspace.name, "image not found", "ask-retry", "What the last cycles did"):
        assert hidden not in page.text


def test_an_auditor_sees_everything_and_can_change_nothing(house: House) -> None:
    auditor = client_of("eva", house, roles=["auditor"])
    workspace = add_workspace(house.preset)

    page = auditor.get(url_of(house.preset))

    assert workspace.name in page.text
    assert "ask-retry" not in page.text
    for action in ("retry", "invalidate", "desired", "edit"):
        assert auditor.get(url_of(house.preset, action)).status_code == 403
        assert auditor.post(url_of(house.preset, action)).status_code == 403


def test_who_may_not_know_of_the_preset_gets_404(house: House) -> None:
    elsewhere = Organization.objects.create(name="elsewhere")
    stranger = User.objects.create_user("zoe")
    Membership.objects.create(organization=elsewhere, user=stranger)
    client = Client()
    client.force_login(stranger)

    for rest in ("", "state", "retry", "invalidate", "desired", "edit"):
        assert client.get(url_of(house.preset, rest)).status_code == 404
    assert Client().get(url_of(house.preset)).status_code == 302


def test_a_template_admin_retries_after_seeing_what_it_brings(house: House) -> None:
    tess = client_of("tess", house, roles=["template-admin"])
    Preset.objects.filter(pk=house.preset.pk).update(prebuild_status="hard_limited")

    plan = tess.get(url_of(house.preset, "retry"), headers=FRAGMENT)
    done = tess.post(url_of(house.preset, "retry"))

    assert "create 2" in plan.text
    assert done["Location"] == url_of(house.preset)
    house.preset.refresh_from_db()
    assert house.preset.prebuild_status == "healthy"
    assert AuditEntry.objects.get(action="retry").actor.username == "tess"


def test_the_plan_of_a_retry_forgets_the_failures(admin_client: Client, house: House) -> None:
    add_workspace(house.preset, agent="", error="exit code 1")

    plan = admin_client.get(url_of(house.preset, "retry"), headers=FRAGMENT)

    assert "create 2" in plan.text
    assert "hold" not in plan.text


def test_an_invalidation_names_how_many_it_replaces(admin_client: Client, house: House) -> None:
    add_workspace(house.preset)
    add_workspace(house.preset)

    plan = admin_client.get(url_of(house.preset, "invalidate"))
    unchanged = Preset.objects.get(pk=house.preset.pk).last_invalidated_at
    admin_client.post(url_of(house.preset, "invalidate"))

    assert "delete 2 prebuilds and create 2 prebuilds" in plan.text
    assert unchanged is None
    assert Preset.objects.get(pk=house.preset.pk).last_invalidated_at is not None


def test_another_number_is_foreseen_as_one_types_and_then_set(
    admin_client: Client, house: House
) -> None:
    add_workspace(house.preset)

    foreseen = admin_client.get(
        url_of(house.preset, "desired"), {"desired_instances": "5"}, headers=FRAGMENT
    )
    unchanged = Preset.objects.get(pk=house.preset.pk).desired_instances
    admin_client.post(url_of(house.preset, "desired"), {"desired_instances": "5"})

    assert "create 4 prebuilds" in foreseen.text
    assert unchanged == 2
    assert Preset.objects.get(pk=house.preset.pk).desired_instances == 5


@pytest.mark.parametrize("text", ["", "-1", "many", "1.5", "99999999999"])
def test_what_is_no_number_is_refused_with_the_remedy(
    admin_client: Client, house: House, text: str
) -> None:
    response = admin_client.post(url_of(house.preset, "desired"), {"desired_instances": text})

    assert response.status_code == 422
    assert "Write digits, such as 3." in response.text
    assert Preset.objects.get(pk=house.preset.pk).desired_instances == 2
