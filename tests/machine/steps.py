"""What the rules of a machine are made from: choices, conditions, and the step itself."""

from datetime import timedelta
from functools import wraps

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

WHICH = st.integers(0, 11)
DESIRED = st.integers(0, 3)
NAMES = st.sampled_from(("a", "A", "b", "c"))
ENDINGS = st.sampled_from(("complete", "complete", "fail", "stop", "release", "heartbeat"))
PARAMETERS = st.sampled_from(({}, {"size": "small"}, {"size": "large"}))
TRANSITIONS = st.sampled_from(("delete", "stop", "start"))
STATES = st.sampled_from(("ready", "ready", "starting", "start_error", "off"))
MOMENTS = st.sampled_from(
    [
        timedelta(seconds=1),
        timedelta(seconds=31),
        timedelta(minutes=5),
        timedelta(minutes=31),
        timedelta(hours=1),
        timedelta(hours=9),
    ]
)


def pick(rows, which):
    """Return one of the rows; there must be some."""
    rows = list(rows)
    return rows[which % len(rows)]


def step(*conditions, **arguments):
    """Make a rule of a method, which is only played when the conditions hold.

    Of a machine that repeats, Hypothesis never draws it else. Of one that does not, it must: what
    it draws may not depend on which thread was faster, or it can neither go on nor play a story
    again. Then the step does nothing.
    """

    def decorate(function):
        @wraps(function)
        def act(self, **values):
            if self.error is not None:
                return
            if self.REPEATS or all(condition(self) for condition in conditions):
                self.story.append(f"{function.__name__} {values or ''}")
                with self.witnessed():
                    function(self, **values)

        made = rule(**arguments)(act)
        for condition in conditions:
            made = precondition(_where_it_repeats(condition))(made)
        return made

    return decorate


def _where_it_repeats(condition):
    return lambda self: not self.REPEATS or condition(self)


def any_prebuild(self):
    return bool(self.seen.prebuilds())


def any_workspace(self):
    return bool(self.seen.workspaces)


def any_unfinished(self):
    return bool(self.seen.unfinished())


def any_pending(self):
    return bool(self.seen.pending())


def any_agent(self):
    return bool(self.agents())


def any_held(self):
    return bool(self.world.held)


def any_active(self):
    return bool(self.active())


def any_eligible(self):
    return bool(self.stocked())


def any_plan(self):
    return bool(self.world.plan)


def is_paused(self):
    return self.world.paused


def is_late(self):
    return self.world.now.hour > 20
