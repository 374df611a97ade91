"""Doorbells for django-q2: zero arguments, one domain call each (a published address).

A task never carries work. Failing is cheap: the next tick is the retry.
"""

import logging
from dataclasses import asdict
from typing import Any, Final

from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.core.mail import get_connection
from django.utils import timezone

from accounts.services import request_counts, sign_in
from prebuilds import cycles, history, metrics, reconciler
from prebuilds.conf import current_policy
from prebuilds.mail import sending, writing
from prebuilds.models import Trigger
from workspaces.services import jobs, lifecycle_executor

logger = logging.getLogger(__name__)

SCHEDULES: Final[dict[str, dict[str, Any]]] = {
    "reconcile": {"func": "prebuilds.tasks.reconcile", "minutes": 1},
    "apply_lifecycle": {"func": "prebuilds.tasks.apply_lifecycle", "minutes": 1},
    "send_mail": {"func": "prebuilds.tasks.send_mail", "minutes": 1},
    "housekeep": {"func": "prebuilds.tasks.housekeep", "minutes": 5},
    "roll_up": {"func": "prebuilds.tasks.roll_up", "minutes": 5},
}
"""Name → function and minutes; `manage.py setup_schedules` installs exactly these."""


def reconcile() -> str:
    """Run one cycle: the safety net under the reconciler's own loop."""
    cycle = reconciler.run_cycle(
        trigger=Trigger.SCHEDULE, policy=current_policy(), clock=timezone.now
    )
    return "reconciled" if cycle.lock_acquired else "another reconciler was at it"


def apply_lifecycle() -> str:
    """Stop, start, put to sleep and delete the workspaces whose time has come."""
    run = lifecycle_executor.apply_lifecycle(now=timezone.now())
    logger.info("lifecycle applied", extra=asdict(run))
    return ", ".join(f"{number} {word}" for word, number in asdict(run).items())


def send_mail() -> str:
    """Write the day's reminders once their hour has come, and send what is due."""
    now = timezone.now()
    reminded = writing.write_digests(now=now)
    connection = get_connection() if settings.PREBUILDS_SENDS_MAIL else None
    done = sending.send_due(now=now, connection=connection)
    logger.info("mail sent", extra={**asdict(done), "reminders": reminded})
    return f"{done.sent} sent, {done.put_off} put off, {done.given_up} given up"


def housekeep() -> str:
    """End what lost its daemon, and forget old runs, mails, sessions and counts."""
    now = timezone.now()
    lost = jobs.reap_lost_jobs(now=now)
    pruned = cycles.prune_runs(now=now) + sending.prune_mails(now=now)
    pruned += sign_in.prune_tries(now=now) + request_counts.prune_requests(now=now)
    SessionStore.clear_expired()
    logger.info("housekeeping done", extra={"lost_jobs": len(lost), "pruned_rows": pruned})
    return f"{len(lost)} lost jobs, {pruned} old rows"


def roll_up() -> str:
    """Sample the pools and count what was asked of them, hour by hour."""
    now = timezone.now()
    done = history.roll_up(now=now)
    series = metrics.accumulate(now=now)
    logger.info("history rolled up", extra={**asdict(done), "series": series})
    return f"{done.pools} pools sampled, {done.hours} hours counted, {done.waits} waits noted"
