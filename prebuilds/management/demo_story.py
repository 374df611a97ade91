"""Let things happen in the demo, so that whoever watches sees every state of a pool.

Played once, in the first two minutes of a fresh demo. Most steps are what a template admin does;
one prebuild is made older than it is, and one agent is reported to have started over.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import F, QuerySet

from accounts.audit import AT_THE_SHELL
from accounts.models import User
from accounts.system import PREBUILDS_USER_ID
from prebuilds import selectors
from prebuilds.management.demo import AGEING, PEOPLE, SILENT, release
from prebuilds.selectors import PoolRow
from templates_app import services
from templates_app.models import Preset, Template
from workspaces.enums import LifecycleState
from workspaces.models import Agent, Workspace
from workspaces.services import agents

NAME: Final = "release-train"
LAB_NAME: Final = "teaching-lab"
RUSH: Final = 14
SOON: Final = timedelta(seconds=10)
PATIENCE_SECONDS: Final = 90
LOOK_SECONDS: Final = 1.0


def play(say: Callable[[str], object], *, clock: Callable[[], datetime]) -> bool:
    """Tell the story, step by step; False when it was told before or there is no demo."""
    template = Template.objects.filter(name=NAME, deleted_at__isnull=True).first()
    if template is None or template.versions.count() != 1:
        return False
    if not _wait_until_ready(template, 2, clock):
        return False
    disturb_the_lab(say, clock)
    say("Demo: promoting release 2; the pool of release 1 drains, a new one fills.")
    _promote(template, clock())
    if not _wait_until_ready(template, 2, clock):
        return False
    say(f"Demo: {RUSH} are wanted at once; what is too much for now is held.")
    _want(template, RUSH, clock())
    _wait_for(_preset(template), lambda pool: pool.starting + pool.ready > RUSH // 2, clock)
    say("Demo: one is enough now; what waits is cancelled, the oldest are deleted.")
    _want(template, 1, clock())
    if not _wait_until_ready(template, 1, clock):
        return False
    say("Demo: invalidating what is left; it is replaced.")
    services.invalidate_template(template_id=template.pk, now=clock(), actor=AT_THE_SHELL)
    return True


def disturb_the_lab(say: Callable[[str], object], clock: Callable[[], datetime]) -> None:
    """Let one prebuild be about to expire, and another's agent start over and fall silent."""
    lab = Preset.objects.filter(
        version=F("version__template__active_version"), version__template__name=LAB_NAME
    )
    presets = {
        preset.name: preset
        for preset in lab
        if _wait_for(preset, lambda pool: pool.ready == 1, clock)
    }
    if ageing := presets.get(AGEING):
        say("Demo: one prebuild is made an hour old; it expires.")
        made_at = clock() - timedelta(seconds=ageing.ttl_seconds or 0) + SOON
        _prebuilds_of(ageing).update(created_at=made_at)
    if silent := presets.get(SILENT):
        say("Demo: one agent starts over and is not heard of again; its prebuild is given up.")
        for agent in Agent.objects.filter(resource__build__in=_latest_builds(silent)):
            agents.report_lifecycle(agent_id=agent.pk, state=LifecycleState.STARTING, now=clock())


def _prebuilds_of(preset: Preset) -> QuerySet[Workspace]:
    return Workspace.objects.filter(
        owner_id=PREBUILDS_USER_ID, deleted_at__isnull=True, latest_build__preset=preset
    )


def _latest_builds(preset: Preset) -> QuerySet[Workspace, UUID | None]:
    return _prebuilds_of(preset).values_list("latest_build_id", flat=True)


def _want(template: Template, number: int, now: datetime) -> None:
    services.set_desired_instances(
        preset_id=_preset(template).pk, desired_instances=number, now=now, actor=AT_THE_SHELL
    )


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
    return _wait_for(_preset(template), lambda pool: pool.ready == number, clock)


def _wait_for(
    preset: Preset, met: Callable[[PoolRow], bool], clock: Callable[[], datetime]
) -> bool:
    """Wait until the preset's pool is as it should be; False when patience ends."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        pools = selectors.list_pools(now=clock()).pools
        if any(one.preset_id == preset.pk and met(one) for one in pools):
            return True
        time.sleep(LOOK_SECONDS)
    return False
