"""The world a machine acts in: people, templates, daemons, agents and a clock that only grows.

Each act calls the product's services as its faces do.
"""

from datetime import timedelta

from prebuilds.errors import PresetNotOfTemplate
from templates_app.errors import TemplateDeleted, TemplateNotUsable
from templates_app.parameters import InvalidParameters
from tests import factories
from tests.committed import delete_all_rows
from tests.machine import promises
from tests.machine.admins import Admins
from tests.machine.daemons import Daemons
from tests.machine.people import People
from tests.machine.reading import take_picture
from tests.machine.reconcilers import Reconcilers
from workspaces.errors import (
    BuildInProgress,
    LeaseLost,
    NameTaken,
    WorkspaceDeleted,
    WorkspaceDormant,
)

ROUNDS = 30
REFUSALS = (
    BuildInProgress,
    InvalidParameters,
    LeaseLost,
    NameTaken,
    PresetNotOfTemplate,
    TemplateDeleted,
    TemplateNotUsable,
    WorkspaceDeleted,
    WorkspaceDormant,
)
"""What one of two who act at once may be told; anything else is a defect."""


class World(People, Admins, Reconcilers, Daemons):
    """Two templates of two organizations, three people, two daemons."""

    def __init__(self):
        delete_all_rows("default")
        factories.make_baseline()
        self.now = factories.NOON
        self.paused_until = None
        self.paused = False
        self.versions = self.names = 0
        self.held = []
        self.plan = ()
        self.people = [factories.make_user() for _ in range(3)]
        self.templates = self.make_templates()
        self.daemons = [factories.make_daemon(now=self.now).pk for _ in range(2)]
        self.seen = take_picture()

    def look(self):
        """Take the next picture, and hold it against the one before."""
        before, self.seen = self.seen, take_picture()
        promises.check_step(before, self.seen, self.now, self.touched())

    def pass_time(self, delta):
        self.now += delta

    def have_a_good_time(self):
        """Let a cycle, every daemon and every agent do their best: pools are full then."""
        self.cycle_as_expected()
        self.work_everything_off()
        self.look()

    def come_to_rest(self):
        """Resume, let everybody work, and run cycles until nothing changes any more."""
        self.resume()
        self.pass_time(timedelta(hours=25))
        self._rest()
        promises.check_rest(self.seen, self.now)
        if unhealthy := self.seen.unhealthy():
            for preset in unhealthy:
                self.retry(preset)
            self._rest()
            promises.check_rest(self.seen, self.now)
            assert {one.name for one in self.seen.unhealthy()} <= {"Broken"}

    def _rest(self):
        """Run cycles until two in a row do nothing: a failed deletion waits for its next try."""
        quiet = 0
        for _ in range(ROUNDS):
            self.pass_time(timedelta(minutes=2))
            self.reap()
            self.work_everything_off()
            assert self.seen.unfinished() == [], "a job that never ends"
            cycle = self.cycle_as_expected()
            quiet = quiet + 1 if promises.is_at_rest(cycle, self.seen) else 0
            if quiet == 2:
                return
        raise AssertionError(f"no rest after {ROUNDS} cycles: {cycle.executed}")
