"""The pure halves of the pages: durations, bars, verdicts, statuses. No database."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import UUID

import pytest

from prebuilds.dashboard.base.wording import say_about, say_count, say_duration, say_list
from prebuilds.dashboard.create_workspace.presentation import suggest_name
from prebuilds.dashboard.pools.bar import GAP, WIDTH, draw_bar
from prebuilds.dashboard.pools.healths import HEALTHS
from prebuilds.dashboard.pools.presentation import pass_verdict
from prebuilds.dashboard.workspaces.status import status_of
from prebuilds.selectors import Pause, PoolRow, PoolsOverview
from templates_app.models import Template

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def pool(health: str = "healthy", *, name: str = "Small", **counts: int) -> PoolRow:
    return PoolRow(
        preset_id=UUID(int=hash(name) % 2**64),
        preset_name=name,
        preset_icon="",
        template_id=UUID(int=1),
        template_name="python",
        template_display_name="Python",
        template_icon="python",
        organization_id=UUID(int=2),
        organization_name="Default",
        version_name="v1",
        is_active_version=health != "draining",
        health=health,
        reason="",
        next_at=None,
        **(dict.fromkeys(("desired", "ready", "unready", "starting"), 0) | counts),
        stopping=0,
        deleting=0,
        expired=0,
        base=0,
        zone="UTC",
        schedules=(),
    )


def verdict(*pools: PoolRow, paused: bool = False) -> str:
    pause = Pause(by="", since=NOW, reason="", until=None) if paused else None
    return pass_verdict(PoolsOverview(pools=pools, as_of=NOW, pause=pause)).text


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (0.0002, "1 ms"),
        (0.031, "31 ms"),
        (0.42, "0.4 s"),
        (9.99, "10 s"),
        (40, "40 s"),
        (64, "1 min 4 s"),
        (120, "2 min"),
        (7_800, "2 h 10 min"),
        (90_000, "1 d 1 h"),
        (86_405, "1 d"),
        (-5, "0 s"),
    ],
)
def test_a_duration_is_said_as_people_do(seconds: float, said: str) -> None:
    assert say_duration(timedelta(seconds=seconds)) == said


def test_an_estimate_has_one_unit() -> None:
    assert say_about(timedelta(seconds=131)) == "2 min"
    assert say_about(timedelta(seconds=0)) == "1 s"


def test_counts_and_lists_read_as_sentences() -> None:
    assert (say_count(1, "pool"), say_count(0, "pool")) == ("1 pool", "0 pools")
    assert (say_list(["a"]), say_list(["a", "b", "c"])) == ("a", "a, b and c")


@pytest.mark.parametrize(
    ("pools", "said"),
    [
        ([], "No pool yet"),
        ([pool()], "The pool is warm"),
        ([pool(), pool()], "All 2 pools are warm"),
        ([pool(), pool("filling")], "1 of 2 pools is warm"),
        ([pool(), pool("hard_limited")], "1 of 2 pools needs you"),
        ([pool("backing_off"), pool("validation_failed"), pool()], "2 of 3 pools need you"),
        ([pool(), pool("draining")], "The pool is warm"),
    ],
)
def test_the_verdict_says_whether_somebody_must_act(pools: list[PoolRow], said: str) -> None:
    assert verdict(*pools) == said


def test_paused_is_the_verdict_unless_something_is_worse() -> None:
    assert verdict(pool("paused"), paused=True) == "Paused"
    assert verdict(pool("paused"), pool("hard_limited"), paused=True) == "1 of 2 pools needs you"


def test_every_health_has_a_word_and_an_icon_of_its_own() -> None:
    assert len({health.word for health in HEALTHS.values()}) == len(HEALTHS)
    assert len({health.icon for health in HEALTHS.values()}) == len(HEALTHS)


def test_a_small_bar_has_a_block_per_prebuild_and_fills_its_width() -> None:
    bar = draw_bar(pool(desired=3, ready=1, starting=1))

    assert [segment.state for segment in bar.segments] == ["ready", "starting", "missing"]
    assert bar.segments[-1].x + bar.segments[-1].width == pytest.approx(WIDTH, abs=0.1)
    assert bar.segments[1].x - bar.segments[0].width == pytest.approx(GAP, abs=0.1)
    assert bar.tick_x is None


def test_a_bar_with_too_many_marks_what_is_desired() -> None:
    bar = draw_bar(pool(desired=2, ready=4))

    assert bar.tick_x is not None
    assert bar.segments[1].x < bar.tick_x < bar.segments[2].x


def test_a_large_bar_has_a_segment_per_state() -> None:
    assert len(draw_bar(pool(desired=500, ready=300)).segments) == 2


def test_an_empty_bar_can_be_drawn() -> None:
    bar = draw_bar(pool())

    assert bar.segments == ()
    assert bar.text == "0 desired: none there"


@pytest.mark.parametrize(
    ("transition", "job", "agents", "word"),
    [
        ("start", "pending", [], "Start is queued"),
        ("start", "running", ["starting"], "Building"),
        ("start", "succeeded", ["ready"], "Ready"),
        ("start", "succeeded", ["ready", "starting"], "Starting up"),
        ("start", "succeeded", ["start_error"], "Start-up failed"),
        ("start", "succeeded", [], "Running, without an agent"),
        ("start", "succeeded", ["off"], "Agent is off"),
        ("start", "failed", [], "Start failed"),
        ("stop", "succeeded", ["off"], "Stopped"),
        ("delete", "canceling", [], "Delete is being canceled"),
    ],
)
def test_a_workspace_has_one_word(transition: str, job: str, agents: list[str], word: str) -> None:
    assert status_of(transition, job, agents).word == word


def test_a_suggested_name_is_always_allowed() -> None:
    template = Template(name="a_very-long_template_name_that_goes_on")

    assert suggest_name(template, {"a-very-long-template-name-th-1"}) == (
        "a-very-long-template-name-th-2"
    )
    assert suggest_name(SimpleNamespace(name="___"), set()) == "workspace-1"


def test_a_pool_with_an_open_notice_needs_you_whatever_its_health() -> None:
    quota = pool(health="held")

    overview = PoolsOverview(pools=(quota, pool(name="Large")), as_of=NOW, pause=None)

    assert pass_verdict(overview, told={quota.preset_id}).text == "1 of 2 pools needs you"
    assert pass_verdict(overview).text == "1 of 2 pools is warm"
