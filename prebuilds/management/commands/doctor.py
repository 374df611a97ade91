"""manage.py doctor: look at a deployment, and say what to mend (docs/commands.md).

Exit codes: 0 nothing fails; 1 something does (with --strict: or a warning); 2 wrong usage.
"""

import json
import sys
from argparse import ArgumentTypeError
from dataclasses import asdict
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandParser
from django.core.validators import validate_email
from django.utils import timezone

from prebuilds.checkup.examination import examine
from prebuilds.checkup.findings import Finding, Level, Visit

MARKS: Final = {Level.OK: "✓", Level.WARNING: "!", Level.FAILING: "✗", Level.SKIPPED: "–"}
WIDTH: Final = 14
Found = tuple[str, Finding]


class Command(BaseCommand):
    """manage.py doctor."""

    help = "Look at this deployment and say what to mend. Changes nothing."
    requires_system_checks = ()  # it runs them itself, as one check of many

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--json", action="store_true", help="Print JSON.")
        parser.add_argument("--strict", action="store_true", help="Fail on warnings, too.")
        parser.add_argument(
            "--mail-to", type=_address, metavar="ADDRESS", help="Send a mail to try."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Examine, tell, and end with what it comes to."""
        visit = Visit(clock=timezone.now, mail_to=options["mail_to"] or "")
        as_of, found = visit.now, []
        for name, finding in examine(visit):
            found.append((name, finding))
            if not options["json"]:
                self._write(name, finding)
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(found, as_of.isoformat()), indent=2))
        else:
            self.stdout.write(_sum_up(found))
        fails = {Level.FAILING} | ({Level.WARNING} if options["strict"] else set())
        if any(finding.level in fails for _, finding in found):
            sys.exit(1)

    def _write(self, name: str, finding: Finding) -> None:
        self.stdout.write(f"{MARKS[finding.level]} {name:{WIDTH}}{finding.text}")
        if finding.advice:
            self.stdout.write(f"  {'':{WIDTH}}→ {finding.advice}")


def _sum_up(found: list[Found]) -> str:
    failing, warnings = _count(found, Level.FAILING), _count(found, Level.WARNING)
    if not failing and not warnings:
        return "\nAll is well."
    return f"\nTo mend: {failing}. To think about: {warnings}."


def _as_json(found: list[Found], as_of: str) -> dict[str, Any]:
    return {
        "status": str(worst(found)),
        "as_of": as_of,
        "findings": [{"check": name, **asdict(finding)} for name, finding in found],
    }


def worst(found: list[Found]) -> Level:
    """Return what it comes to: what was skipped counts as well."""
    for level in (Level.FAILING, Level.WARNING):
        if _count(found, level):
            return level
    return Level.OK


def _count(found: list[Found], level: Level) -> int:
    return sum(finding.level is level for _, finding in found)


def _address(text: str) -> str:
    try:
        validate_email(text)
    except ValidationError as error:
        raise ArgumentTypeError(f"{text!r} is not an e-mail address") from error
    return text
