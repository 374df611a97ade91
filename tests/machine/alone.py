"""The machine that does one thing after another: a rule for everything anybody does."""

import random
import traceback
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from unittest import mock

import pytest
from django.test import override_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from tests.machine.steps import (
    DESIRED,
    ENDINGS,
    MOMENTS,
    NAMES,
    PARAMETERS,
    STATES,
    TRANSITIONS,
    WHICH,
    any_active,
    any_agent,
    any_eligible,
    any_held,
    any_pending,
    any_plan,
    any_prebuild,
    any_unfinished,
    any_workspace,
    is_late,
    is_paused,
    pick,
    step,
)
from tests.machine.world import World


class Alone(RuleBasedStateMachine):
    """One thing after another, so an example is the same one whenever it is played."""

    REPEATS = True

    def __init__(self):
        super().__init__()
        self.story = []
        self.error = None
        self.is_whole = False
        self.stage = ExitStack()
        self.set_stage()
        self.world = World()

    def set_stage(self):
        """Let cycles do one preset after another, and ids, which decide ties, come from a seed."""
        self.stage.enter_context(override_settings(PREBUILDS_DATABASE_POOL_SIZE=1))
        self.stage.enter_context(mock.patch("os.urandom", random.Random(0).randbytes))

    @contextmanager
    def witnessed(self):
        """Add the story to an error: of what threads did, it is the only witness.

        A machine that does not repeat prints the error at once, keeps it until the end and does
        nothing more. Were the story shorter when it is played again, or good, Hypothesis might
        complain of that instead. What breaks off in the middle of a step is not brought to an end.
        """
        self.is_whole = False
        try:
            yield
        except (Exception, pytest.fail.Exception) as error:
            error.add_note("\n".join(["What was played:", *self.story]))
            if self.REPEATS:
                raise
            traceback.print_exception(error)
            self.error = error

    @property
    def seen(self):
        return self.world.seen

    def active(self):
        return [one for one in self.seen.presets.values() if one.is_active]

    def stocked(self):
        return [one for one in self.active() if self.seen.eligible(one, self.world.now)]

    def agents(self):
        return [agent for one in self.seen.live() for agent, _ in one.latest.agents]

    def new_key(self):
        return f"key-{len(self.story)}"

    @initialize(good_times=st.integers(0, 2))
    def begin(self, good_times):
        self.story.append(f"begin {good_times}")
        with self.witnessed():
            for _ in range(good_times):
                self.world.have_a_good_time()

    @invariant()
    def every_promise_is_kept(self):
        if self.error is None:
            with self.witnessed():
                self.world.look()
                self.is_whole = True

    def teardown(self):
        with self.stage:
            if self.is_whole:
                self.story.append("come to rest")
                with self.witnessed():
                    self.world.come_to_rest()
            if self.error is not None:
                raise self.error

    # People.

    @step()
    def join(self):
        self.world.join()

    @step(any_active, who=WHICH, which=WHICH, name=NAMES)
    def claim(self, who, which, name):
        owner = pick(self.world.people, who)
        self.world.claim_as_expected(owner, pick(self.active(), which), name)

    @step(any_eligible, who=WHICH, which=WHICH)
    def claim_what_is_ready(self, who, which):
        owner, name = pick(self.world.people, who), self.world.new_name()
        self.world.claim_as_expected(owner, pick(self.stocked(), which), name)

    @step(who=WHICH, which=WHICH, name=NAMES)
    def claim_of_any_version(self, who, which, name):
        owner = pick(self.world.people, who)
        self.world.claim_as_expected(owner, pick(self.seen.presets.values(), which), name)

    @step(who=WHICH, which=WHICH, parameters=PARAMETERS)
    def claim_by_parameters(self, who, which, parameters):
        owner, template = pick(self.world.people, who), pick(self.world.templates, which)
        self.world.claim_by_parameters_as_expected(owner, template, parameters)

    @step(any_active, who=WHICH, which=WHICH)
    def claim_twice_with_one_key(self, who, which):
        preset = pick(self.stocked() or self.active(), which)
        self.world.claim_twice_as_expected(pick(self.world.people, who), preset, self.new_key())

    @step(any_workspace, which=WHICH, transition=TRANSITIONS)
    def ask_for_a_build(self, which, transition):
        self.world.build_as_expected(pick(self.seen.workspaces.values(), which), transition)

    @step(any_prebuild, which=WHICH, transition=TRANSITIONS)
    def ask_for_a_build_of_a_prebuild(self, which, transition):
        self.world.build_as_expected(pick(self.seen.prebuilds(), which), transition)

    @step(any_unfinished, which=WHICH)
    def cancel(self, which):
        self.world.cancel(pick(self.seen.unfinished(), which))

    # Template admins.

    @step(any_active, which=WHICH, number=st.none() | DESIRED)
    def want(self, which, number):
        self.world.set_desired(pick(self.active(), which), number)

    @step(any_active, which=WHICH)
    def invalidate(self, which):
        self.world.invalidate(pick(self.active(), which))

    @step(any_active, which=WHICH)
    def retry(self, which):
        self.world.retry(pick(self.active(), which))

    @step(which=WHICH, desired=DESIRED, broken=st.sampled_from((False, False, False, True)))
    def promote_new(self, which, desired, broken):
        template = pick(self.world.templates, which)
        self.world.promote_new(template, desired=desired, broken=broken)

    @step(which=WHICH)
    def promote_again(self, which):
        preset = pick(self.seen.presets.values(), which)
        self.world.promote_as_expected(preset.template, preset.version)

    @step(which=WHICH, message=st.sampled_from(("", "use another")))
    def deprecate(self, which, message):
        self.world.deprecate(pick(self.world.templates, which), message)

    @step(is_late, which=WHICH)
    def delete_template(self, which):
        self.world.delete_template(pick(self.world.templates, which))

    @step(minutes=st.none() | st.just(30))
    def pause(self, minutes):
        self.world.pause(minutes and self.world.now + timedelta(minutes=minutes))

    @step(is_paused)
    def resume(self):
        self.world.resume()

    # The reconciler.

    @step()
    def cycle(self):
        self.world.cycle_as_expected()

    @step()
    def have_a_good_time(self):
        self.world.have_a_good_time()

    @step()
    def have_another(self):
        self.world.have_a_good_time()

    @step()
    def make_plan(self):
        self.world.make_plan()

    @step(any_plan)
    def carry_out_plan_of_earlier(self):
        self.world.carry_out_plan()

    @step()
    def two_reconcilers(self):
        self.world.make_plan()
        self.world.cycle()
        self.world.carry_out_plan()

    @step(any_eligible, who=WHICH, which=WHICH, built=st.booleans())
    def claim_what_is_about_to_be_deleted(self, who, which, built):
        preset = pick(self.stocked(), which)
        owner, doomed = pick(self.world.people, who), self.seen.running(preset)
        self.world.claim_as_expected(owner, preset, self.world.new_name())
        if built:
            self.world.work_everything_off()
        self.world.delete_prebuilds(doomed)

    # Daemons, agents, time.

    @step(any_pending, how=ENDINGS)
    def work_on_what_was_given_to_another(self, how):
        held = self.world.acquire(0)
        self.world.finish(held, "release")
        self.world.acquire(1)
        self.world.look()
        self.world.finish_as_expected(held, how)

    @step(any_pending, daemon=st.integers(0, 1))
    def acquire(self, daemon):
        self.world.acquire_as_expected(daemon)

    @step(any_held, which=WHICH, how=ENDINGS)
    def finish(self, which, how):
        self.world.finish_as_expected(pick(reversed(self.world.held), which), how)

    @step(any_pending)
    def work_everything_off(self):
        self.world.work_everything_off()

    @step()
    def reap(self):
        self.world.reap_as_expected()

    @step(any_agent, which=WHICH, state=STATES)
    def report(self, which, state):
        self.world.report(pick(self.agents(), which), state)

    @step()
    def age(self):
        self.world.age_as_expected()

    @step(delta=MOMENTS)
    def pass_time(self, delta):
        self.world.pass_time(delta)
