"""manage.py setup_schedules: idempotent, mends what differs, leaves others alone."""

from datetime import timedelta
from importlib import import_module
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone
from django_q.models import Schedule

from prebuilds import tasks

pytestmark = pytest.mark.django_db


def setup():
    out = StringIO()
    call_command("setup_schedules", stdout=out)
    return out.getvalue()


def rows():
    return list(Schedule.objects.order_by("name").values())


def test_it_installs_every_schedule_for_ever_and_due_now():
    before = timezone.now()

    assert setup() == (
        "5 schedules installed: reconcile, apply_lifecycle, send_mail, housekeep, roll_up\n"
    )

    found = {row["name"]: row for row in rows()}
    assert set(found) == set(tasks.SCHEDULES)
    for name, row in found.items():
        assert (row["func"], row["minutes"]) == (
            tasks.SCHEDULES[name]["func"],
            tasks.SCHEDULES[name]["minutes"],
        )
        assert (row["schedule_type"], row["repeats"]) == (Schedule.MINUTES, -1)
        assert row["cluster"] is None
        assert not row["args"]
        assert not row["kwargs"]
        assert before <= row["next_run"] <= timezone.now()


def test_every_function_resolves_and_takes_no_arguments():
    setup()

    for row in rows():
        module, _, name = row["func"].rpartition(".")
        function = getattr(import_module(module), name)
        assert function.__code__.co_argcount == 0


def test_a_second_time_changes_nothing():
    setup()
    before = rows()

    setup()

    assert rows() == before


def test_what_differs_is_mended_and_the_phase_kept():
    setup()
    due = timezone.now() + timedelta(seconds=42)
    Schedule.objects.filter(name="reconcile").update(
        func="prebuilds.tasks.housekeep", minutes=99, repeats=3, cluster="typo", next_run=due
    )

    setup()

    row = Schedule.objects.get(name="reconcile")
    assert (row.func, row.minutes, row.repeats) == ("prebuilds.tasks.reconcile", 1, -1)
    assert (row.cluster, row.next_run) == (None, due)


def test_ours_that_are_no_longer_wanted_go_and_others_stay():
    Schedule.objects.create(name="old", func="prebuilds.tasks.gone")
    Schedule.objects.create(name="theirs", func="somewhere.else")

    setup()

    assert sorted(Schedule.objects.values_list("name", flat=True)) == [
        "apply_lifecycle",
        "housekeep",
        "reconcile",
        "roll_up",
        "send_mail",
        "theirs",
    ]


def test_a_very_old_next_run_is_brought_to_now():
    setup()
    Schedule.objects.update(next_run=timezone.now() - timedelta(days=1000))

    setup()

    assert all(timezone.now() - row["next_run"] < timedelta(minutes=1) for row in rows())


def test_two_rows_of_one_name_do_not_stop_it():
    for _ in range(2):
        Schedule.objects.create(name="reconcile", func="prebuilds.tasks.reconcile")

    setup()

    assert Schedule.objects.filter(name="reconcile").count() == 1
