"""manage.py reconcile: one cycle by hand, its plan, or the loop (semantics.md 11).

Exit codes: 0 done, or the lock is held elsewhere (said so); 1 a preset failed; 2 bad usage.
"""

import json
import signal
import sys
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from prebuilds import reconciler
from prebuilds.conf import current_policy
from prebuilds.core.actions import Decision
from prebuilds.core.facts import decision_as_json
from prebuilds.dashboard.base.wording import say_count
from prebuilds.management.plan import doomed_ids, plan_lines
from prebuilds.models import Trigger
from prebuilds.orchestrator import Orchestrator
from templates_app.models import Preset
from workspaces.models import Workspace

LONGEST_INTERVAL = timedelta(days=1)
NOTHING_MATCHES = "No preset with a pool matches that filter."


class Command(BaseCommand):
    """manage.py reconcile."""

    help = "Bring every pool to its desired size: once, as a plan only, or for ever."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options of semantics.md 11."""
        parser.add_argument("--dry-run", action="store_true", help="Show the plan, change nothing.")
        parser.add_argument(
            "--json", action="store_true", help="Print JSON (see docs/commands.md)."
        )
        parser.add_argument("--loop", action="store_true", help="Run until stopped.")
        parser.add_argument(
            "--interval",
            type=_seconds,
            default=settings.PREBUILDS_RECONCILIATION_INTERVAL,
            metavar="S",
            help="Seconds between cycles of the loop when nothing rings.",
        )
        parser.add_argument("--template", metavar="NAME", help="Show only this template's presets.")
        parser.add_argument("--preset", type=UUID, metavar="ID", help="Show only this preset.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run what was asked for."""
        narrowed = options["template"] or options["preset"]
        if options["loop"] and (options["dry_run"] or narrowed):
            raise CommandError(
                "--loop cannot be combined with --dry-run, --template or --preset.", returncode=2
            )
        if narrowed and not _matches_something(options):
            raise CommandError(NOTHING_MATCHES, returncode=2)
        if options["loop"]:
            self._loop(options["interval"], as_json=options["json"])
        elif options["dry_run"]:
            self._plan(options)
        else:
            self._once(options)

    def _plan(self, options: dict[str, Any]) -> None:
        decisions = list(
            reconciler.plan_cycle(
                policy=current_policy(), now=timezone.now(), selected=_selection(options)
            )
        )
        if options["json"]:
            self.stdout.write(json.dumps([decision_as_json(one) for one in decisions], indent=2))
            return
        self._write_plan(decisions)

    def _write_plan(self, decisions: list[Decision]) -> None:
        now = timezone.now()
        doomed = Workspace.objects.filter(pk__in=doomed_ids(decisions))
        names = dict(doomed.values_list("pk", "name"))
        lines = [line for one in decisions for line in plan_lines(one, names, now)]
        if not lines:
            self.stdout.write(f"Nothing to do: {say_count(len(decisions), 'pool')} looked at.")
        for line in lines:
            self.stdout.write(line)

    def _once(self, options: dict[str, Any]) -> None:
        cycle = reconciler.run_cycle(
            trigger=Trigger.COMMAND,
            policy=current_policy(),
            clock=timezone.now,
            selected=_selection(options),
        )
        self._report(cycle, as_json=options["json"])
        if cycle.failed or cycle.barred:
            sys.exit(1)

    def _loop(self, interval: timedelta, *, as_json: bool) -> None:
        loop = Orchestrator(
            policy=current_policy(),
            clock=timezone.now,
            interval=interval,
            on_cycle=lambda cycle: self._report_work(cycle, as_json=as_json),
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda received, _: loop.stop(signal.Signals(received).name))
        self.stdout.write(f"Reconciling every {interval.total_seconds():g} s and on every bell.")
        loop.run_loop()

    def _report_work(self, cycle: reconciler.Cycle, *, as_json: bool) -> None:
        """Print what a cycle did, for programs; for people it is in the log already."""
        if as_json and cycle.did_something:
            self._report(cycle, as_json=True)

    def _report(self, cycle: reconciler.Cycle, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(_cycle_as_json(cycle)))
            return
        self.stdout.write(_summary(cycle))
        for one in cycle.failed:
            self.stderr.write(f"{one.decision.preset.label}: {one.outcome.error}")
        for organization, error in cycle.barred.items():
            self.stderr.write(f"organization {organization} was skipped: {error}")


def _summary(cycle: reconciler.Cycle) -> str:
    if not cycle.lock_acquired:
        return "Another reconciler is at it; nothing was done here."
    if cycle.paused:
        return "Reconciliation is paused; nothing was done."
    counts = ", ".join(
        f"{name} {cycle.total(name)}" for name in ("created", "deleted", "cancelled", "held")
    )
    return f"{say_count(cycle.presets_total, 'preset')}: {counts}, failed {len(cycle.failed)}"


def _cycle_as_json(cycle: reconciler.Cycle) -> dict[str, Any]:
    counts = {name: cycle.total(name) for name in ("created", "deleted", "cancelled", "held")}
    return {
        "lock_acquired": cycle.lock_acquired,
        "paused": cycle.paused,
        "presets_total": cycle.presets_total,
        "presets_failed": len(cycle.failed),
        "skipped_organizations": {str(key): error for key, error in cycle.barred.items()},
        **counts,
        "presets": [
            {
                "preset_id": str(one.decision.preset.id),
                "preset": one.decision.preset.name,
                "template": one.decision.preset.template_name,
                "actions": one.outcome.entries,
                "error": one.outcome.error,
            }
            for one in cycle.executed
        ],
    }


def _selection(options: dict[str, Any]) -> reconciler.Selection:
    template, preset_id = options["template"], options["preset"]
    return lambda preset: (
        template in (None, preset.template_name)
        and preset_id
        in (
            None,
            preset.id,
        )
    )


def _matches_something(options: dict[str, Any]) -> bool:
    presets = Preset.objects.filter(desired_instances__isnull=False)
    if options["template"]:
        presets = presets.filter(version__template__name=options["template"])
    if options["preset"]:
        presets = presets.filter(pk=options["preset"])
    return presets.exists()


def _seconds(text: str) -> timedelta:
    seconds = float(text)
    if not 0 < seconds <= LONGEST_INTERVAL.total_seconds():
        raise ValueError(text)
    return timedelta(seconds=seconds)
