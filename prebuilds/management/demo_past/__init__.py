"""Give a demo that was just loaded two weeks behind it. They are invented, from end to end.

Only `manage.py demo` writes them, into a database that holds nothing else: numbers of a real
installation are never touched.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from accounts.models import User
from prebuilds.management.demo import EARLIER
from prebuilds.management.demo_past import traces
from prebuilds.management.demo_past.requests import Rows, let_ask, let_fail
from prebuilds.management.demo_past.story import POOLS, Past, Pool, invent_past
from prebuilds.models import Claim
from templates_app import services as template_services
from templates_app.models import Preset, Template, TemplateVersion
from workspaces.models import ProvisionerJob, Workspace, WorkspaceBuild

__all__ = ["find_birthday", "write_past"]

BATCH_SIZE: Final = 500
OLDER: Final = timedelta(days=3)
"""How much older than its past the demo is."""
REVIEWED: Final = timedelta(minutes=25)
"""How long version 1.0.0 waited for its promotion."""
NAME: Final = "python-project"


def find_birthday(name: str, *, now: datetime) -> datetime:
    """Return when the active version of a template is said to have been made."""
    past = invent_past(now)
    return past.promoted_at - REVIEWED if name == NAME else past.start - OLDER


def write_past(*, people: Sequence[User], now: datetime) -> int:
    """Write two weeks up to the hour that has begun; return how many requests there were.

    For templates that were just made, in the transaction that made them.
    """
    past, by_name = invent_past(now), {user.username: user for user in people}
    earlier = _make_older(by_name["tess"], past)
    presets = _presets()
    _write_requests(presets, by_name, past)
    traces.write_hours(presets, past)
    traces.write_cycles(presets, past)
    traces.write_incident(presets[past.incident.pool], past)
    traces.write_deeds(presets, earlier, by_name["tess"], past)
    return len(past.asked)


def _make_older(author: User, past: Past) -> TemplateVersion:
    """Make everything older than its past, and return the version before the first."""
    made_at = past.start - OLDER
    template = Template.objects.get(name=NAME)
    earlier = template_services.create_version(
        template=template, created_by=author, spec=EARLIER, now=made_at
    )
    Template.objects.update(created_at=made_at)
    Preset.objects.update(created_at=made_at)
    return earlier


def _presets() -> dict[Pool, Preset]:
    found = Preset.objects.select_related("version__template")
    return {
        pool: found.get(
            name=pool.preset, version__name=pool.version, version__template__name=pool.template
        )
        for pool in POOLS
    }


def _write_requests(presets: dict[Pool, Preset], people: dict[str, User], past: Past) -> None:
    rows = Rows()
    for one in past.asked:
        let_ask(rows, presets[one.pool], people[one.who], one, past)
    let_fail(rows, presets[past.incident.pool], past.incident)
    _insert(Workspace, rows.workspaces)
    _insert(ProvisionerJob, rows.jobs)
    _insert(WorkspaceBuild, rows.builds)
    _insert(Claim, rows.claims)


def _insert(model: Any, rows: Iterable[Any]) -> None:
    model.objects.bulk_create(rows, batch_size=BATCH_SIZE)
