"""Install the schedules of prebuilds.tasks; run once per deploy, never at import.

Idempotent, also when two run at once: an advisory lock, and rows are found by name.
"""

from datetime import timedelta
from typing import Any, Final

from django.core.management.base import BaseCommand
from django.db import connection, transaction
from django.utils import timezone
from django_q.models import Schedule

from prebuilds import tasks

LOCK_KEY: Final = 0x73636865_64756C65  # "schedule"
STALE: Final = timedelta(days=1)


class Command(BaseCommand):
    """manage.py setup_schedules."""

    help = "Install or mend the scheduled tasks (reconcile, housekeeping). Safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        """Create what is missing, mend what differs, remove what is no longer ours."""
        now = timezone.now()
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK_KEY])
            ours = Schedule.objects.filter(func__startswith="prebuilds.tasks.")
            ours.exclude(name__in=tasks.SCHEDULES).delete()
            for name, schedule in tasks.SCHEDULES.items():
                _remove_doubles(name)
                Schedule.objects.update_or_create(
                    name=name,
                    defaults={
                        "func": schedule["func"],
                        "schedule_type": Schedule.MINUTES,
                        "minutes": schedule["minutes"],
                        "repeats": -1,
                        "cluster": None,
                    },
                    create_defaults={
                        "func": schedule["func"],
                        "schedule_type": Schedule.MINUTES,
                        "minutes": schedule["minutes"],
                        "repeats": -1,
                        "cluster": None,
                        "next_run": now,
                    },
                )
            # django-q2 walks a very old next_run forward step by step, under a row lock.
            ours.filter(next_run__lt=now - STALE).update(next_run=now)
        self.stdout.write(
            f"{len(tasks.SCHEDULES)} schedules installed: {', '.join(tasks.SCHEDULES)}"
        )


def _remove_doubles(name: str) -> None:
    """Keep the oldest row of a name: django-q2's table does not make names unique."""
    rows = Schedule.objects.filter(name=name).order_by("pk")
    for double in rows[1:]:
        double.delete()
