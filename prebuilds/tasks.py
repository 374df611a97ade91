"""Doorbells for django-q2: zero arguments, one domain call each (a published address).

A task never carries work. Failing is cheap: the next tick is the retry.
"""

import logging
from typing import Any, Final

from django.utils import timezone

from prebuilds import reconciler
from prebuilds.conf import current_policy
from prebuilds.models import Trigger
from workspaces.services import jobs

logger = logging.getLogger(__name__)

SCHEDULES: Final[dict[str, dict[str, Any]]] = {
    "reconcile": {"func": "prebuilds.tasks.reconcile", "minutes": 1},
    "housekeep": {"func": "prebuilds.tasks.housekeep", "minutes": 5},
}
"""Name → function and minutes; `manage.py setup_schedules` installs exactly these."""


def reconcile() -> str:
    """Run one cycle: the safety net under the reconciler's own loop."""
    cycle = reconciler.run_cycle(
        trigger=Trigger.SCHEDULE, policy=current_policy(), clock=timezone.now
    )
    return "reconciled" if cycle.lock_acquired else "another reconciler was at it"


def housekeep() -> str:
    """End what lost its daemon, and forget old runs."""
    now = timezone.now()
    lost = jobs.reap_lost_jobs(now=now)
    pruned = reconciler.prune_runs(now=now)
    logger.info("housekeeping done", extra={"lost_jobs": len(lost), "pruned_rows": pruned})
    return f"{len(lost)} lost jobs, {pruned} old rows"
