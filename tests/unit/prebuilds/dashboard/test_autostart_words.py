"""An autostart schedule in days, a time and a zone, and back."""

from datetime import time

import pytest

from prebuilds.dashboard.workspaces.autostart_words import (
    PlainSchedule,
    read_plain,
    say_schedule,
    write_schedule,
)


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ("CRON_TZ=Europe/Berlin 30 9 * * 1-5", "Mon to Fri at 09:30, Europe/Berlin"),
        ("0 7 * * mon,WED", "Mon, Wed at 07:00, UTC"),
        ("CRON_TZ=UTC 5 0 * * *", "Every day at 00:05, UTC"),
        ("CRON_TZ=UTC 5 0 * * 0,6", "Sat, Sun at 00:05, UTC"),
        ("CRON_TZ=UTC 5 0 * * 0", "Sun at 00:05, UTC"),
        ("CRON_TZ=UTC 0 */2 * * *", "CRON_TZ=UTC 0 */2 * * *"),
        ("CRON_TZ=UTC 0 9 * * */2", "CRON_TZ=UTC 0 9 * * */2"),
        ("CRON_TZ=UTC 0 99 * * 1", "CRON_TZ=UTC 0 99 * * 1"),
    ],
)
def test_a_schedule_is_said_as_people_do_or_as_it_is_written(schedule, said):
    assert say_schedule(schedule) == said


@pytest.mark.parametrize("days", [("1",), ("1", "3", "0"), ("1", "2", "3", "4", "5", "6", "0")])
def test_what_was_written_is_read_back(days):
    plain = PlainSchedule(days=days, at=time(23, 5), zone="America/Lima")

    assert read_plain(write_schedule(plain)) == plain


def test_every_day_is_a_star():
    plain = PlainSchedule(days=tuple("1234560"), at=time(9), zone="UTC")

    assert write_schedule(plain) == "CRON_TZ=UTC 0 9 * * *"
