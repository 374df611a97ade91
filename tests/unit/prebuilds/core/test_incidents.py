"""What people should know of, from the decision alone (semantics.md 21)."""

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given, settings

from prebuilds.core.decisions import decide
from prebuilds.core.incidents import MOST_NAMED, IncidentKind, notices_due, quota_warnings
from prebuilds.core.policy import Policy
from prebuilds.core.snapshot import OrganizationSnapshot, Snapshot, Status
from prebuilds.models import NoticeKind
from templates_app.schedules import Schedule
from tests.unit.prebuilds.core.builders import (
    HOUR,
    LONG_AGO,
    NOW,
    ORGANIZATION,
    POLICY,
    SECOND,
    failed_deletion,
    history,
    make_preset,
    prebuild,
)
from tests.unit.prebuilds.core.strategies import policies, snapshots

NOONS = (Schedule(expression="* 12 * * *", desired_instances=5),)
MARS = {"scheduling_timezone": "Mars/Olympus", "schedules": NOONS}
STUCK = (failed_deletion(7, tries=3, ago=HOUR),)
INVALID = {"status": Status.VALIDATION_FAILED, "status_reason": "region: required"}
CASES = {
    "full": (make_preset(1, running=(prebuild(1),)), set()),
    "filling": (make_preset(2), set()),
    "backing off": (make_preset(2, attempts=history("FF", newest=SECOND)), set()),
    "found to be hard-limited right now": (
        make_preset(1, attempts=history("FFF", newest=SECOND)),
        {"hard_limited"},
    ),
    "hard-limited for long": (
        make_preset(1, status=Status.HARD_LIMITED, attempts=history("FFF", newest=LONG_AGO)),
        {"hard_limited"},
    ),
    "hard-limited, wanting none": (
        make_preset(0, status=Status.HARD_LIMITED, attempts=history("FFF", newest=LONG_AGO)),
        {"hard_limited"},
    ),
    "recovered just now": (
        make_preset(1, status=Status.HARD_LIMITED, attempts=history("SFFF", newest=SECOND)),
        set(),
    ),
    "does not validate": (make_preset(1, **INVALID), {"validation_failed"}),
    "zone unknown": (make_preset(1, **MARS), {"bad_schedule"}),
    "zone unknown, no schedules": (make_preset(1, **(MARS | {"schedules": ()})), set()),
    "too dear": (make_preset(1, daily_cost=1), {"quota"}),
    "too dear and full": (make_preset(1, daily_cost=1, running=(prebuild(1),)), set()),
    "a deletion is stuck": (make_preset(0, failed_deletions=STUCK), {"stuck_deletion"}),
    "a deletion is tried again": (
        make_preset(0, failed_deletions=(failed_deletion(7, tries=2, ago=HOUR),)),
        set(),
    ),
    "all at once": (
        make_preset(1, failed_deletions=STUCK, **INVALID, **MARS),
        {"validation_failed", "bad_schedule", "stuck_deletion"},
    ),
    "an old version with all of it": (
        make_preset(1, using_active_version=False, failed_deletions=STUCK, **INVALID, **MARS),
        {"stuck_deletion"},
    ),
    "a deprecated template": (
        make_preset(1, deprecated=True, running=(prebuild(1),), **INVALID, **MARS),
        set(),
    ),
}


def due(preset, policy=POLICY):
    snapshot = Snapshot(presets=(preset,))
    return [
        incident
        for decision in decide(snapshot, policy, NOW)
        for incident in notices_due(decision, policy)
    ]


def warnings(used, allowance, barred=()):
    organization = OrganizationSnapshot(quota_used=used, quota_allowance=allowance)
    return quota_warnings(Snapshot(organizations={ORGANIZATION: organization}), barred)


@pytest.mark.parametrize(("preset", "kinds"), CASES.values(), ids=CASES.keys())
def test_what_is_the_matter_follows_from_the_decision(preset, kinds):
    incidents = due(preset)

    assert sorted(one.kind for one in incidents) == sorted(kinds)
    assert {(one.preset_id, one.organization_id) for one in incidents} <= {
        (preset.id, ORGANIZATION)
    }


def test_each_says_what_is_wrong_in_the_errors_own_words():
    preset = make_preset(1, **INVALID, **MARS)

    said = {one.kind: one.detail for one in due(preset)}

    assert said["validation_failed"] == "region: required"
    assert "Mars/Olympus" in said["bad_schedule"]


def test_a_status_without_a_reason_still_says_something():
    (incident,) = due(make_preset(1, status=Status.VALIDATION_FAILED))

    assert incident.detail == "The preset's parameters do not validate."


@pytest.mark.parametrize(("missing", "words"), [(1, "1 prebuild waits"), (3, "3 prebuilds wait")])
def test_a_pool_held_back_by_quota_says_how_many_wait_and_what_to_do(missing, words):
    (incident,) = due(make_preset(missing, daily_cost=4))

    assert incident.detail == (
        f"{words}: at a daily cost of 4 each, no more fit into the quota of the prebuilds group. "
        "Raise its allowance."
    )
    assert incident.facts == {"held": missing, "daily_cost": 4}


def test_stuck_deletions_are_one_incident_that_names_some_and_counts_all():
    stuck = tuple(failed_deletion(number, tries=3, ago=HOUR) for number in range(50, 0, -1))

    (incident,) = due(make_preset(0, failed_deletions=stuck))

    assert incident.facts["count"] == 50
    assert incident.facts["workspaces"] == [
        str(UUID(int=number)) for number in range(1, MOST_NAMED + 1)
    ]


def test_without_a_hard_limit_no_deletion_is_ever_stuck():
    assert due(make_preset(0, failed_deletions=STUCK), Policy(failure_hard_limit=0)) == []


@pytest.mark.parametrize(
    ("used", "allowance", "warned"),
    [
        (0, 0, False),
        (0, 10, False),
        (7, 10, False),
        (8, 10, True),
        (10, 10, True),
        (11, 10, True),
        (28, 35, True),
        (27, 35, False),
        (1, 0, True),
    ],
)
def test_people_are_warned_from_80_percent_of_the_allowance_on(used, allowance, warned):
    found = warnings(used, allowance)

    assert bool(found) is warned
    for one in found:
        assert (one.kind, one.organization_id, one.preset_id) == (
            "quota_warning",
            ORGANIZATION,
            None,
        )
        assert f"{used} of the {allowance} a day" in one.detail


def test_an_organization_that_is_left_out_is_not_warned():
    assert warnings(9, 10, barred={ORGANIZATION}) == ()


def test_core_and_table_know_the_same_kinds():
    assert [kind.value for kind in IncidentKind] == NoticeKind.values


@settings(max_examples=60, deadline=None)
@given(snapshots(), policies)
def test_a_preset_has_at_most_one_incident_of_a_kind_in_any_order_of_its_rows(snapshot, policy):
    for decision in decide(snapshot, policy, NOW):
        incidents = notices_due(decision, policy)
        preset = decision.preset
        turned = replace(preset, failed_deletions=preset.failed_deletions[::-1])

        assert len({one.kind for one in incidents}) == len(incidents)
        assert notices_due(replace(decision, preset=turned), policy) == incidents
