"""What must hold after every step, after every cycle and at the end, in words and asserts."""

from collections import Counter
from datetime import timedelta

from accounts.system import PREBUILDS_USER_ID
from prebuilds.core.actions import Reason

STAYS_HELD = {Reason.HARD_LIMITED, Reason.VALIDATION_FAILED}
TRIES = 3


def check_step(before, after, now, touched):
    """Assert what no step may break, `before` being the picture of the step before.

    `touched` are the workspaces a daemon has ever had in its hands.
    """
    for workspace in after.workspaces.values():
        check_builds(workspace)
        check_deletion(workspace, touched)
        check_lifecycle(workspace)
    check_claims(after)
    check_notices(after)
    check_owners(before, after)
    check_creations(before, after, now)


def check_builds(workspace):
    """Builds are numbered without gaps, the newest is the latest, and only it is unfinished."""
    numbers = [build.number for build in workspace.builds]
    assert numbers == list(range(1, len(numbers) + 1)), numbers
    assert workspace.latest_build == workspace.latest.id
    unfinished = [build.number for build in workspace.builds if build.is_unfinished]
    assert unfinished in ([], [workspace.latest.number]), f"unfinished builds: {unfinished}"


def check_deletion(workspace, touched):
    """What is deleted has a finished deletion as its last build, and the other way round.

    Where a daemon has been at work, a daemon clears away.
    """
    done = workspace.is_at("delete", "succeeded")
    done_late = workspace.is_at("delete", "canceled")  # done when the request to cancel came
    if workspace.deleted_at is None:
        assert not done, "its deletion succeeded, and yet it lives"
    else:
        assert done or done_late, "it is deleted, but no build did it"
        by_daemon = workspace.latest.started_at is not None
        assert by_daemon == (workspace.id in touched), "what a daemon made there is left behind"


def check_lifecycle(workspace):
    """A prebuild has no times of its own: nothing stops, starts or ages it (semantics.md 16)."""
    if not workspace.is_prebuild:
        return
    assert (workspace.ttl_seconds, workspace.autostart_schedule) == (None, "")
    assert workspace.next_start_at is workspace.last_used_at is None
    assert workspace.dormant_at is workspace.deleting_at is None
    assert all(one.deadline is None for one in workspace.builds)


def find_overdue(picture, now):
    """Return what runs although its deadline has passed."""
    running = [one for one in picture.live() if one.is_at("start", "succeeded")]
    return [one for one in running if one.latest.deadline and one.latest.deadline <= now]


def check_notices(picture):
    """A preset has one open notice of a kind, whoever tells whom at the same time."""
    of_presets = [(one.preset, one.kind) for one in picture.notices if one.claim is None]
    assert len(of_presets) == len(set(of_presets)), "told twice"


def check_claims(picture):
    """Each workspace was handed out once, to its owner, and its pool lets go of it for ever."""
    number = Counter(claim.workspace for claim in picture.claims)
    assert all(times == 1 for times in number.values()), "two claims of one workspace"
    claims = {claim.workspace: claim for claim in picture.claims}
    for workspace in picture.workspaces.values():
        claim = claims.get(workspace.id)
        assert workspace.is_prebuild == (claim is None)
        claimed_by = [one for one in workspace.builds if one.stage == "prebuild_claim"]
        if claim is None or claim.outcome == "cold":
            assert claimed_by == []
        if claim is None:
            continue
        assert claim.user == workspace.owner
        assert (claim.reason == "warm") == (claim.outcome == "warm")
        check_builds_since(workspace, claim, claimed_by)


def check_builds_since(workspace, claim, claimed_by):
    since = 1
    if claim.outcome == "warm":
        assert [one.initiator for one in claimed_by] == [claim.user]
        since = claimed_by[0].number
        assert since > 1
        assert all(one.transition != "delete" for one in workspace.builds[: since - 1])
    later = workspace.builds[since - 1 :]
    assert all(one.initiator != PREBUILDS_USER_ID for one in later), "the pool reached for it"


def check_owners(before, after):
    """Nothing vanishes, nothing is undeleted, and who was handed a workspace keeps it."""
    for key, earlier in before.workspaces.items():
        now = after.workspaces[key]
        assert earlier.is_prebuild or now.owner == earlier.owner, "it changed hands again"
        assert earlier.deleted_at in (None, now.deleted_at)


def check_creations(before, after, now):
    """Creating never brings a pool above what it wants, before or after a change in this step.

    What is in use before or after the step may have been so, with either number, when it created:
    three who act at once may raise the number, create, and promote another version.
    """
    new = set(after.workspaces) - set(before.workspaces)
    for preset in after.presets.values():
        created = [
            one
            for one in map(after.workspaces.get, new)
            if one.builds[0].stage == "prebuild_create" and one.builds[0].preset == preset.id
        ]
        if not created:
            continue
        earlier = before.presets.get(preset.id, preset)
        was_in_use = earlier.is_active or preset.is_active
        wanted = max(earlier.desired_in_use(now), preset.desired_in_use(now)) * was_in_use
        present = after.present(preset, now)
        assert present <= wanted, f"{preset.name}: {present} for {wanted}, {len(created)} new"


def check_cycle(before, after, cycle, now, max_in_flight):
    """Assert what a cycle nobody disturbed leaves behind, preset by preset."""
    assert cycle.failed == [], cycle.failed[0].outcome.error
    assert not cycle.barred
    for organization in {one.organization for one in after.presets.values()}:
        in_flight = before.in_flight(organization)
        created = sum(
            one.outcome.created
            for one in cycle.executed
            if one.decision.preset.organization_id == organization
        )
        assert created <= max(max_in_flight - in_flight, 0), "more at once than allowed"
    check_what_is_told(after)
    done = {one.decision.preset.id: one.outcome for one in cycle.executed}
    for preset in after.presets.values():
        if not preset.has_pool:
            assert preset.id not in done
        elif preset.is_active:
            check_active_pool(before, after, preset, done.get(preset.id), now)
        else:
            assert after.running(preset) == [], "left over on a preset nobody uses"
            assert not any(one.waits_for_its_first_start for one in after.prebuilds(preset))


def check_what_is_told(after):
    """After a cycle people know of each pool that creates no more, and of no other."""
    for kind in ("hard_limited", "validation_failed"):
        told = {one.preset for one in after.notices if one.kind == kind}
        assert told == {one.id for one in after.unhealthy() if one.status == kind}, kind


def check_active_pool(before, after, preset, outcome, now):
    wanted, fresh = preset.desired(now), after.fresh(preset, now)
    assert len(fresh) == len(after.running(preset)), "expired, and not deleted"
    assert len(fresh) <= wanted, "more than wanted, and not deleted"
    waiting = [one for one in after.prebuilds(preset) if one.waits_for_its_first_start]
    if waiting:
        assert after.present(preset, now) <= wanted, "a surplus that could be cancelled"
    missing = max(wanted - before.present(preset, now), 0)
    accounted = outcome.created + outcome.held if outcome else 0
    assert accounted == missing, f"{missing} missing, {accounted} created or held"


def is_at_rest(cycle, picture):
    """Return whether nothing is under way and nothing will be done for any pool by itself."""
    entries = [entry for one in cycle.executed for entry in one.outcome.entries]
    held = {entry["reason"] for entry in entries if entry["action"] == "hold"}
    busy = [entry for entry in entries if entry["action"] != "hold"]
    return not busy and held <= STAYS_HELD and picture.unfinished() == []


def check_rest(picture, now):
    """Assert convergence: each pool is full and ready, and nothing else is left anywhere."""
    for preset in picture.presets.values():
        if not preset.has_pool:
            continue
        ready = [one for one in picture.fresh(preset, now) if one.is_ready]
        assert len(ready) == len(picture.running(preset)), "running, and neither ready nor deleted"
        if preset.status == "healthy" or not preset.is_active:
            assert len(ready) == preset.desired(now), f"{preset.name} did not converge"
        check_leftovers(picture, preset, now)


def check_leftovers(picture, preset, now):
    """Assert that what does not run is parked by a person, a specimen, or a stuck deletion."""
    specimens = 0
    for one in picture.prebuilds(preset):
        if one.is_at("start", "failed"):
            specimens += 1
            assert now - one.latest.completed_at <= timedelta(hours=24)
        elif one.latest.transition == "delete":
            assert is_stuck(one), "a deletion that could be tried again"
        elif one.latest.transition != "stop":
            assert one.is_at("start", "succeeded"), one.latest.status
    assert specimens <= 1


def is_stuck(workspace):
    """Return whether its deletion has failed as often as it is tried."""
    failed = 0
    for build in reversed(workspace.builds):
        if build.transition != "delete":
            break
        failed += build.status == "failed"
    return failed >= TRIES
