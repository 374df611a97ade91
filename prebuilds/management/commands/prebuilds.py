"""manage.py prebuilds: how the pools are, and what is done to them by hand (semantics.md 19).

Exit codes: 0 done, or nothing to change (said so); 1 what was named does not exist; 2 bad usage.
"""

import argparse
import json
from dataclasses import asdict
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone

from accounts.audit import AT_THE_SHELL
from prebuilds import selectors, services
from prebuilds.core.durations import parse_duration
from prebuilds.dashboard.base.wording import say_count, say_duration, say_word
from templates_app import services as template_services
from templates_app.models import Preset, Template

LONGEST_PAUSE: Final = timedelta(days=365)


class Command(BaseCommand):
    """manage.py prebuilds."""

    help = "Show the pools; pause, resume, invalidate or retry by hand."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare one sub-command each."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        status = verbs.add_parser("status", help="how each pool is, and why")
        status.add_argument("--json", action="store_true", help="print JSON")
        pause = verbs.add_parser("pause", help="create, delete and cancel nothing until resumed")
        pause.add_argument(
            "--reason", type=_reason, required=True, help="why; it is shown on every page"
        )
        pause.add_argument(
            "--for", type=_duration, dest="span", metavar="2h", help="resume by itself after this"
        )
        verbs.add_parser("resume", help="end a pause")
        invalidate = verbs.add_parser("invalidate", help="replace the prebuilds that exist")
        chosen = invalidate.add_mutually_exclusive_group(required=True)
        chosen.add_argument("--preset", type=UUID, metavar="ID")
        chosen.add_argument("--template", metavar="NAME", help="all presets of its active version")
        cancel = verbs.add_parser("cancel-pending", help="empty a flooded queue of waiting starts")
        cancel.add_argument("--template", metavar="NAME", required=True)
        retry = verbs.add_parser("retry", help="forget a pool's failures and try again")
        retry.add_argument("--preset", type=UUID, metavar="ID", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what was asked for."""
        verbs = {
            "status": self._status,
            "pause": self._pause,
            "resume": self._resume,
            "invalidate": self._invalidate,
            "retry": self._retry,
            "cancel-pending": self._cancel_pending,
        }
        verbs[options["verb"]](options)

    def _status(self, options: dict[str, Any]) -> None:
        now = timezone.now()
        overview = selectors.list_pools(now=now)
        notices = selectors.list_notices(now=now)
        if options["json"]:
            shown = {
                **asdict(overview),
                "paused": overview.paused,
                "notices": [asdict(one) for one in notices],
            }
            self.stdout.write(json.dumps(shown, cls=DjangoJSONEncoder, indent=2))
            return
        self.stdout.write(_heartbeat(paused=overview.paused))
        for notice in notices:
            self.stdout.write(_notice_line(notice))
        for pool in overview.pools:
            self.stdout.write(
                f"{pool.template_name} / {pool.preset_name}: {say_word(pool.health)}. {pool.reason}"
            )
            self.stdout.write(
                f"  desired {pool.desired}, ready {pool.ready}, starting {pool.starting}, "
                f"expired {pool.expired}, deleting {pool.deleting}  (preset {pool.preset_id})"
            )

    def _pause(self, options: dict[str, Any]) -> None:
        now = timezone.now()
        changed = services.pause_reconciliation(
            actor=AT_THE_SHELL,
            reason=options["reason"],
            until=now + options["span"] if options["span"] else None,
            now=now,
        )
        self.stdout.write(
            "Paused." if changed else "It was paused already; reason and end are new."
        )

    def _resume(self, options: dict[str, Any]) -> None:
        changed = services.resume_reconciliation(actor=AT_THE_SHELL, now=timezone.now())
        self.stdout.write("Resumed." if changed else "It was not paused.")

    def _invalidate(self, options: dict[str, Any]) -> None:
        now = timezone.now()
        if options["preset"]:
            presets = [_preset(options["preset"]).pk]
            stamped = template_services.invalidate_presets(
                preset_ids=presets, now=now, actor=AT_THE_SHELL
            )
        else:
            stamped = sum(
                len(
                    template_services.invalidate_template(
                        template_id=template.pk, now=now, actor=AT_THE_SHELL
                    )
                )
                for template in _templates(options["template"])
            )
        self.stdout.write(
            f"Presets invalidated: {stamped}. The next cycle replaces their prebuilds."
        )

    def _cancel_pending(self, options: dict[str, Any]) -> None:
        for template in _templates(options["template"]):
            outcome = services.cancel_pending_prebuilds(
                template=template, actor=AT_THE_SHELL, now=timezone.now()
            )
            self.stdout.write(
                f"{template}: {outcome.canceled} canceled, {outcome.busy} taken by a daemon "
                f"first, {outcome.failed} failed. Unless paused, the next cycle makes them anew."
            )

    def _retry(self, options: dict[str, Any]) -> None:
        preset = _preset(options["preset"])
        template_services.retry_preset(preset_id=preset.pk, now=timezone.now(), actor=AT_THE_SHELL)
        self.stdout.write(f"{preset}: its failures are forgotten; the next cycle tries again.")


def _heartbeat(*, paused: bool) -> str:
    completed_at = selectors.last_cycle_at()
    state = "Paused" if paused else "Running"
    if completed_at is None:
        return f"{state}; no cycle has run yet."
    age = timezone.now() - completed_at
    return f"{state}; the last cycle was {age.total_seconds():.0f} s ago."


def _notice_line(notice: selectors.NoticeRow) -> str:
    where = notice.organization_name
    if notice.preset_id:
        where = f"{notice.template_name} / {notice.preset_name}"
    cost = f", {say_count(notice.cold_starts, 'cold start')}" if notice.cold_starts else ""
    return (
        f"NOTICE {where}: {say_word(notice.kind)}, for {say_duration(notice.lasted)}{cost}. "
        f"{notice.detail}"
    )


def _preset(preset_id: UUID) -> Preset:
    preset = Preset.objects.filter(pk=preset_id).first()
    if preset is None:
        raise CommandError(f"There is no preset {preset_id}; `prebuilds status` lists them.")
    return preset


def _templates(name: str) -> list[Template]:
    """Return the live templates of this name; several organizations may have one."""
    found = list(Template.objects.filter(name__iexact=name, deleted_at__isnull=True))
    if not found:
        raise CommandError(f'There is no template "{name}".')
    return found


def _duration(text: str) -> timedelta:
    try:
        span = parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if not timedelta(0) < span <= LONGEST_PAUSE:
        raise argparse.ArgumentTypeError(f"{text} is not between 1s and {LONGEST_PAUSE.days}d")
    return span


def _reason(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("say why, in a few words")
    return text.strip()
