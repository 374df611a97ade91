"""Is there room on the disk for the database that is kept on this machine."""

import shutil
from collections.abc import Iterator
from typing import Final

from django.conf import settings

from prebuilds.checkup.findings import Finding, Visit, bad, skipped, warn, well

EMBEDDED: Final = "config.embedded_postgres"
LITTLE_BYTES: Final = 5 * 2**30
"""Twice what its write-ahead log may take, and some for the workspaces beside it."""
NOTHING_BYTES: Final = 2**30


def check_disk(visit: Visit) -> Iterator[Finding]:
    """The embedded database and the workspaces share the data directory."""
    if settings.DATABASES["default"]["ENGINE"] != EMBEDDED:
        yield skipped("the database is not kept here")
        return
    if not settings.DEBUG:
        advice = "it keeps no backups: set DATABASE_URL for anything that matters"
        yield warn("the embedded PostgreSQL is for one machine, for trying", advice)
    yield judge_disk(shutil.disk_usage(settings.PREBUILDS_DATA_DIR).free)


def judge_disk(free: int) -> Finding:
    """PostgreSQL stops when the disk is full, and needs room to start again."""
    text = f"{free / 2**30:.1f} GiB are free in the data directory"
    if free < NOTHING_BYTES:
        return bad(text, "make room, or move PREBUILDS_DATA_DIR")
    if free < LITTLE_BYTES:
        return warn(text, "make room soon, or move PREBUILDS_DATA_DIR")
    return well(text)
