"""The machine that also does several things at once, in threads."""

from functools import partial

from hypothesis import strategies as st

from tests.concurrency.racing import alongside, errors, race, uncommitted
from tests.machine.alone import Alone
from tests.machine.steps import DESIRED, WHICH, any_active, pick, step
from tests.machine.world import REFUSALS

ACTORS = (
    "claim",
    "claim_too",
    "cycle",
    "cycle_too",
    "carry_out_plan",
    "delete_running",
    "delete_as_admin",
    "cancel",
    "want",
    "invalidate",
    "promote",
    "work",
    "work_too",
    "finish",
    "reap",
    "tell",
    "age",
)
UNHURRIED = ("claim", "delete_running", "want", "invalidate", "promote")
"""What may stay uncommitted for long without anybody having to wait for it."""


class Together(Alone):
    """Also several things at once, each on a connection of its own."""

    REPEATS = False

    def set_stage(self):
        """Cycles use threads as ever; ids are drawn in whatever order those come."""

    def race(self, *actors):
        """Let all act at once; return what became of each, which the story tells, too."""
        outcomes = race(*actors)
        self.story.append(f"  {outcomes!r:.2000}")
        strange = [one for one in errors(outcomes) if not isinstance(one, REFUSALS)]
        assert strange == []
        return outcomes

    def actor(self, kind, which):
        """Return what one of those who act at once will do, or None when it has no object."""
        return getattr(self, "_" + kind.removesuffix("_too"))(which)

    def _claim(self, which):
        owner = pick(self.world.people, which)
        return self._on_preset(self.world.claim, which, owner=owner, name=self.world.new_name())

    def _cycle(self, _):
        return self.world.cycle

    def _carry_out_plan(self, _):
        return self.world.carry_out_plan

    def _delete_running(self, which):
        return self._on_preset(self.world.delete_running, which)

    def _delete_as_admin(self, which):
        prebuilds = self.seen.prebuilds()
        return prebuilds and partial(self.world.build, pick(prebuilds, which), "delete")

    def _cancel(self, which):
        unfinished = self.seen.unfinished()
        return unfinished and partial(self.world.cancel_whenever, pick(unfinished, which))

    def _want(self, which):
        return self._on_preset(self.world.set_desired, which, number=which % 4)

    def _invalidate(self, which):
        return self._on_preset(self.world.invalidate, which)

    def _promote(self, which):
        preset = pick(self.seen.presets.values(), which)
        return partial(self.world.promote, preset.template, preset.version)

    def _work(self, which):
        return partial(self.world.work, which % 2)

    def _finish(self, which):
        held = self.world.held
        return held and partial(self.world.finish, pick(reversed(held), which), "complete")

    def _reap(self, _):
        return self.world.reap

    def _tell(self, _):
        return self.world.tell

    def _age(self, _):
        return self.world.age

    def _on_preset(self, act, which, **facts):
        presets = self.stocked() or self.active()
        return presets and partial(act, preset=pick(presets, which), **facts)

    @step(
        kinds=st.lists(st.sampled_from(ACTORS), min_size=2, max_size=3, unique=True),
        which=WHICH,
    )
    def at_once(self, kinds, which):
        actors = [one for kind in kinds if (one := self.actor(kind, which))]

        if actors:
            self.race(*actors)

    @step(any_active, number=DESIRED, which=WHICH)
    def two_reconcilers_at_once(self, number, which):
        """Let one that lost its lock carry out its plan, twice, while the next one cycles."""
        self.world.set_desired(pick(self.active(), which), number + 1)
        self.world.look()
        self.world.make_plan()
        self.race(self.world.carry_out_plan, self.world.carry_out_plan, self.world.cycle)

    @step(any_active, who=WHICH, which=WHICH)
    def claim_at_once_with_one_key(self, who, which):
        preset = pick(self.stocked() or self.active(), which)
        if preset.name.startswith("Broken"):
            return
        owner, name = pick(self.world.people, who), self.world.new_name()
        claim = partial(self.world.claim, owner, preset, name, self.new_key())

        results = self.race(claim, claim, claim)

        assert errors(results) == []
        assert len({one.claim_id for one in results}) == 1
        assert sorted(one.repeated for one in results) == [False, True, True]

    @step(any_active, first=WHICH, second=WHICH, which=WHICH)
    def claim_at_once(self, first, second, which):
        preset, people = pick(self.stocked() or self.active(), which), self.world.people
        claimers = [
            partial(self.world.claim, pick(people, one), preset, self.world.new_name())
            for one in (first, second)
        ]
        eligible = self.seen.eligible(preset, self.world.now)
        if preset.name.startswith("Broken"):
            eligible = []

        results = self.race(*claimers)

        warm = {one.workspace.pk for one in results if getattr(one, "outcome", "") == "warm"}
        assert warm == {one.id for one in eligible[:2]}

    @step(any_active, kind=st.sampled_from(UNHURRIED), which=WHICH)
    def claim_meanwhile(self, kind, which):
        """Claim while something else is done and not yet committed: nobody waits."""
        preset = pick(self.stocked() or self.active(), which)
        if preset.name.startswith("Broken"):
            return
        owner, name = pick(self.world.people, which + 1), self.world.new_name()
        eligible = {one.id for one in self.seen.eligible(preset, self.world.now)}

        with uncommitted(self.actor(kind, which)) as earlier:
            later = alongside(partial(self.world.claim, owner, preset, name))

        taken = {earlier.workspace.pk} if kind == "claim" else set()
        if kind == "delete_running":
            taken = {key for key, result in earlier.items() if result == "deleting"}
        assert later.outcome == ("warm" if eligible - taken else "cold")
