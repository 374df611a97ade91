"""How a pool is, in one word and one sentence (ui.md: Pools)."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prebuilds.core.decisions import decide
from prebuilds.core.health import Health, HealthWord, describe_health
from prebuilds.core.policy import Policy
from prebuilds.core.snapshot import OrganizationSnapshot, PresetSnapshot, Snapshot, Status
from templates_app.schedules import Schedule
from tests.unit.prebuilds.core.builders import (
    HOUR,
    LONG_AGO,
    MINUTE,
    NOW,
    ORGANIZATION,
    POLICY,
    SECOND,
    attempt,
    decision_for,
    failed,
    history,
    make_preset,
    prebuild,
)
from tests.unit.prebuilds.core.strategies import policies, snapshots

JUST_FAILED = (attempt("F", ago=SECOND),)
UNREADY = prebuild(9, ready=False)
CASES = {
    "wants none": (make_preset(0), "healthy"),
    "full": (make_preset(1, running=(prebuild(1),)), "healthy"),
    "more than full": (make_preset(1, running=(prebuild(1), prebuild(2))), "healthy"),
    "full and in backoff": (
        make_preset(1, running=(prebuild(1),), attempts=JUST_FAILED),
        "healthy",
    ),
    "about to create": (make_preset(2), "filling"),
    "starting": (make_preset(2, starting=2), "filling"),
    "partly ready, partly starting": (
        make_preset(2, running=(prebuild(1),), starting=1),
        "filling",
    ),
    "probing with one": (make_preset(1, attempts=(attempt("F", ago=LONG_AGO),)), "filling"),
    "running but not ready": (make_preset(1, running=(UNREADY,)), "filling"),
    "one given up": (make_preset(1, running=(prebuild(1, age=HOUR, ready=False),)), "filling"),
    "in backoff": (make_preset(1, attempts=JUST_FAILED), "backing_off"),
    "probing": (make_preset(2, attempts=(attempt("F", ago=LONG_AGO),)), "backing_off"),
    "in backoff while one starts": (
        make_preset(2, starting=1, attempts=JUST_FAILED),
        "backing_off",
    ),
    "hard-limited": (
        make_preset(1, status=Status.HARD_LIMITED, attempts=history("FFF", newest=LONG_AGO)),
        "hard_limited",
    ),
    "found to be hard-limited right now": (
        make_preset(1, attempts=history("FFF", newest=SECOND)),
        "hard_limited",
    ),
    "does not validate": (make_preset(1, status=Status.VALIDATION_FAILED), "validation_failed"),
    "does not validate and failed": (
        make_preset(1, status=Status.VALIDATION_FAILED, attempts=history("FFF", newest=SECOND)),
        "validation_failed",
    ),
    "too dear": (make_preset(1, daily_cost=1), "held"),
    "too dear a probe": (
        make_preset(2, daily_cost=1, attempts=(attempt("F", ago=LONG_AGO),)),
        "held",
    ),
    "old version": (make_preset(1, using_active_version=False, starting=1), "draining"),
}


def health_of(
    preset: PresetSnapshot, *, policy: Policy = POLICY, paused: bool = False, in_flight: int = 0
) -> Health:
    """Health from the admitted decision; an inactive preset gets something to drain."""
    if not preset.is_active:
        preset = make_preset(
            preset.desired_instances,
            using_active_version=preset.using_active_version,
            deleted=preset.deleted,
            deprecated=preset.deprecated,
            running=preset.running,
            starting=preset.starting,
            stopping=preset.stopping,
            deleting=preset.deleting,
            failed=(failed(99),),
        )
    snapshot = Snapshot(
        presets=(preset,), organizations={ORGANIZATION: OrganizationSnapshot(in_flight=in_flight)}
    )
    (decision,) = decide(snapshot, policy, NOW)
    return describe_health(decision, paused=paused)


@pytest.mark.parametrize(("preset", "word"), CASES.values(), ids=CASES.keys())
def test_a_pool_is_described_in_one_word(preset, word):
    assert health_of(preset).word == word


def test_too_many_builds_under_way_hold_a_pool_back():
    health = health_of(make_preset(2), policy=Policy(max_in_flight=1), in_flight=1)

    assert health.word == HealthWord.HELD
    assert health.reason == "2 wait for their turn: too many builds are under way."


def test_a_pool_that_is_short_while_nothing_is_under_way_is_degraded():
    preset = make_preset(2, running=(prebuild(1),))
    idle = replace(decision_for(preset), actions=())

    health = describe_health(idle, paused=False)

    assert health.word == HealthWord.DEGRADED
    assert health.reason == "1 of 2 ready, and nothing is under way."


# Paused


@pytest.mark.parametrize("name", [name for name, (_, word) in CASES.items() if word == "healthy"])
def test_a_full_pool_stays_healthy_while_reconciliation_is_paused(name):
    preset, _ = CASES[name]

    assert health_of(preset, paused=True).word == HealthWord.HEALTHY


@pytest.mark.parametrize(
    "name", [name for name, (_, word) in CASES.items() if word not in {"healthy", "draining"}]
)
def test_a_pool_that_is_not_full_is_paused_whatever_else_troubles_it(name):
    preset, _ = CASES[name]

    assert health_of(preset, paused=True).word == HealthWord.PAUSED


def test_a_draining_pool_drains_even_while_paused():
    preset = make_preset(using_active_version=False)

    assert health_of(preset, paused=True).word == HealthWord.DRAINING


# Sentences


@pytest.mark.parametrize(
    ("why", "sentence"),
    [
        ({"using_active_version": False}, "This version is no longer the active one"),
        ({"deprecated": True}, "The template is deprecated"),
        ({"deleted": True}, "The template was deleted"),
        ({"deleted": True, "deprecated": True}, "The template was deleted"),
    ],
)
def test_a_draining_pool_says_why_and_how_many_are_left(why, sentence):
    preset = make_preset(running=(prebuild(1),), starting=2, stopping=3, deleting=4, **why)

    assert health_of(preset).reason == f"{sentence}; 10 left to remove."


@pytest.mark.parametrize(
    ("preset", "sentence"),
    [
        (make_preset(0), "No prebuilt workspaces are wanted right now."),
        (
            make_preset(2, running=(prebuild(1), prebuild(2))),
            "2 ready; the next person gets one at once.",
        ),
        (make_preset(3, running=(prebuild(1),)), "1 of 3 ready, 2 being built."),
        (make_preset(3, running=(prebuild(1),), starting=1), "1 of 3 ready, 2 being built."),
        (make_preset(1, starting=2), "0 of 1 ready, 2 being built."),
        (
            make_preset(4, running=(prebuild(1), UNREADY), starting=1),
            "1 of 4 ready, 2 being built, 1 starting up.",
        ),
        (
            make_preset(3, ttl=HOUR, running=(prebuild(1, age=2 * HOUR), prebuild(2), UNREADY)),
            "1 of 3 ready, 1 being built, 1 starting up.",
        ),
        (
            make_preset(2, running=(prebuild(1), UNREADY)),
            "1 of 2 ready, 1 starting up.",
        ),
        (
            make_preset(1, attempts=JUST_FAILED),
            "Waiting after 1 failed build before trying again.",
        ),
        (
            make_preset(2, attempts=history("FF", newest=SECOND)),
            "Waiting after 2 failed builds before trying again.",
        ),
        (
            make_preset(2, attempts=(attempt("F", ago=SECOND), attempt("F", ago=LONG_AGO))),
            "Waiting after 1 failed build before trying again.",
        ),
        (
            make_preset(2, attempts=(attempt("F", ago=LONG_AGO),)),
            "The last build failed; one is tried before the rest.",
        ),
        (
            make_preset(1, attempts=history("FFF", newest=SECOND)),
            "Creation stopped after repeated failures. Press Retry once the cause is mended.",
        ),
        (
            make_preset(1, status=Status.VALIDATION_FAILED, status_reason='"size" must be set.'),
            '"size" must be set.',
        ),
        (
            make_preset(1, status=Status.VALIDATION_FAILED),
            "The preset's parameters do not validate.",
        ),
        (
            make_preset(1, daily_cost=1),
            "The prebuilds group's quota is used up. Raise its allowance.",
        ),
    ],
)
def test_a_pool_is_described_in_one_sentence(preset, sentence):
    assert health_of(preset).reason == sentence


@pytest.mark.parametrize(("desired", "word"), [(1, HealthWord.HEALTHY), (2, HealthWord.FILLING)])
def test_a_schedule_that_cannot_be_read_is_said_and_changes_no_word(desired, word):
    preset = make_preset(
        desired,
        running=(prebuild(1),),
        scheduling_timezone="Mars/Olympus",
        schedules=(Schedule(expression="* 12 * * *", desired_instances=5),),
    )

    health = health_of(preset)

    said, problem = health.reason.split(" A schedule cannot be read: ")
    assert health.word == word
    assert said == health_of(replace(preset, schedules=())).reason
    assert "Mars/Olympus" in problem
    assert problem.endswith(".")


def test_a_paused_pool_says_that_nothing_is_built():
    health = health_of(make_preset(1), paused=True)

    assert health.reason == "Reconciliation is paused; nothing is built."


def test_only_a_backoff_knows_when_it_ends():
    ends = {name: health_of(preset).next_at for name, (preset, _) in CASES.items()}

    known = {name: end for name, end in ends.items() if end is not None}

    assert known == {
        "in backoff": NOW - SECOND + MINUTE,
        "in backoff while one starts": NOW - SECOND + MINUTE,
    }


@settings(max_examples=60, deadline=None)
@given(snapshots(), policies, st.booleans())
def test_every_decision_has_a_word_and_a_sentence(snapshot, policy, paused):
    for decision in decide(snapshot, policy, NOW):
        health = describe_health(decision, paused=paused)

        assert health.reason.endswith(".")
        assert (health.word == HealthWord.DRAINING) is (not decision.preset.is_active)
        assert (health.word == HealthWord.HEALTHY) is (
            decision.preset.is_active and decision.state.eligible >= decision.state.desired
        )
