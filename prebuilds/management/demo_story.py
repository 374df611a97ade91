"""Move one demo template along, so that whoever watches sees a pool drain, shrink and renew.

Played once, in the first two minutes of a fresh demo; the steps are what a template admin does.
"""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from accounts.audit import AT_THE_SHELL
from accounts.models import User
from prebuilds import selectors
from prebuilds.management.demo import PEOPLE, release
from templates_app import services
from templates_app.models import Preset, Template

NAME: Final = "release-train"
PATIENCE_SECONDS: Final = 90
LOOK_SECONDS: Final = 1.0


def play(say: Callable[[str], object], *, clock: Callable[[], datetime]) -> bool:
    """Tell the story, step by step; False when it was told before or there is no demo."""
    template = Template.objects.filter(name=NAME, deleted_at__isnull=True).first()
    if template is None or template.versions.count() != 1:
        return False
    if not _wait_until_ready(template, 2, clock):
        return False
    say("Demo: promoting release 2; the pool of release 1 drains, a new one fills.")
    _promote(template, clock())
    if not _wait_until_ready(template, 2, clock):
        return False
    say("Demo: one is enough now; the oldest is deleted.")
    services.set_desired_instances(
        preset_id=_preset(template).pk, desired_instances=1, now=clock(), actor=AT_THE_SHELL
    )
    if not _wait_until_ready(template, 1, clock):
        return False
    say("Demo: invalidating what is left; it is replaced.")
    services.invalidate_template(template_id=template.pk, now=clock(), actor=AT_THE_SHELL)
    return True


def _promote(template: Template, now: datetime) -> None:
    admin = User.objects.get(username=PEOPLE[0][0])
    version = services.create_version(template=template, created_by=admin, spec=release(2))
    services.promote_version(
        template_id=template.pk, version_id=version.pk, now=now, actor=AT_THE_SHELL
    )


def _preset(template: Template) -> Preset:
    template.refresh_from_db()
    return Preset.objects.get(version_id=template.active_version_id)


def _wait_until_ready(template: Template, number: int, clock: Callable[[], datetime]) -> bool:
    """Wait until the active preset's pool holds exactly this many ready ones."""
    preset_id = _preset(template).pk
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        pools = selectors.list_pools(now=clock()).pools
        if any(one.preset_id == preset_id and one.ready == number for one in pools):
            return True
        time.sleep(LOOK_SECONDS)
    return False
