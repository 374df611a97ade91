"""Every page, light and dark: axe finds nothing serious, and nothing scrolls sideways at 320 px.

A page that is new and not listed as a part of another one is looked at by itself.
"""

import re
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from accounts.audit import Actor
from accounts.enums import AuditSource, TokenScope
from accounts.models import Group
from accounts.services import create_token
from prebuilds.dashboard.urls import urlpatterns
from prebuilds.models import Claim, ReconcileDecision, ReconcileRun
from templates_app.models import Preset
from templates_app.services import set_desired_instances
from tests.integration.prebuilds.dashboard.house import House, add_workspace
from workspaces.models import ProvisionerDaemon, ProvisionerJob, ProvisionerKey

NOW: Final = datetime(2026, 3, 4, 12, tzinfo=UTC)
PARTS: Final = re.compile(
    r"(_table|_state|_log|_logs|_preview|_words|_bar|_tiles|_attention|_values_preview)$"
    r"|^(live_.*|palette|workspace_change|sign_out|unsubscribe"
    r"|mailbox.*|workspaces_bulk|revoke_persons_token)$"
)
"""Fragments, streams, what only a POST answers, plans that need a choice made before, and what
is there in debug only."""
SERIOUS: Final = ("serious", "critical")


@pytest.fixture
def keys(house: House) -> dict[str, Any]:
    """Return something for every parameter of an address."""
    workspace = add_workspace(house.preset, owner_id=house.admin.pk, name="api-server")
    add_workspace(house.preset)
    Claim.objects.create(
        workspace=workspace,
        template=house.template,
        preset=house.preset,
        user=house.admin,
        outcome="cold",
        reason="pool_empty",
        wait_seconds=217.5,
    )
    run = ReconcileRun.objects.create(trigger="bell", started_at=NOW, completed_at=NOW, created=1)
    ReconcileDecision.objects.create(
        run=run,
        preset=house.preset,
        state={"desired": 2},
        actions=[{"action": "create", "reason": "missing", "count": 1, "wanted": 1}],
    )
    actor = Actor(user=house.admin, source=AuditSource.PAGE)
    set_desired_instances(preset_id=house.preset.pk, desired_instances=3, now=NOW, actor=actor)
    token, _ = create_token(
        user=house.admin, name="ci", scope=TokenScope.READ, expires_at=None, now=NOW
    )
    entry = house.admin.audit_entries.filter(object_id=str(house.preset.pk)).first()
    assert entry is not None
    assert workspace.latest_build is not None
    ProvisionerDaemon.objects.create(name="rack-2", machine="m-1", started_at=NOW, last_seen_at=NOW)
    ProvisionerJob.objects.filter(pk=workspace.latest_build.job_id).update(machine="m-1")
    group = Group.objects.create(organization=house.organization, name="web")
    group.members.add(house.member)
    return {
        "workspace_id": workspace.pk,
        "job_id": workspace.latest_build.job_id,
        "preset_id": house.preset.pk,
        "template_id": house.template.pk,
        "version_id": Preset.objects.get(pk=house.preset.pk).version_id,
        "run_id": run.pk,
        "key_id": ProvisionerKey.objects.create(
            organization=house.organization, name="rack-1", digest=b"0" * 32
        ).pk,
        "user_id": house.member.pk,
        "organization_id": house.organization.pk,
        "group_id": group.pk,
        "token_id": token.pk,
        "entry_id": entry.pk,
        "machine": "m-1",
    }


def addresses(keys: dict[str, Any]) -> dict[str, str]:
    """Return name → address of every page."""
    found = {}
    for pattern in urlpatterns:
        if PARTS.search(pattern.name):
            continue
        route = str(pattern.pattern)
        found[pattern.name] = "/" + re.sub(r"<\w+:(\w+)>", lambda part: str(keys[part[1]]), route)
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.timeout(240)
def test_no_page_has_a_serious_fault(
    sign_in: Callable[..., Page], keys: dict[str, Any], scheme: str
) -> None:
    page = sign_in("ana", color_scheme=scheme, viewport={"width": 1280, "height": 900})
    pages_of_fault = defaultdict(list)

    for name, address in addresses(keys).items():
        page.set_viewport_size({"width": 1280, "height": 900})
        response = page.goto(address)
        status = response.status if response else "no answer"
        faults = [*look_at(page), *sideways(page)] if status == 200 else [f"status {status}"]
        for fault in faults:
            pages_of_fault[fault].append(name)

    faults = [f"{', '.join(names)}:\n  {fault}" for fault, names in pages_of_fault.items()]
    assert not faults, "\n".join(faults)


def look_at(page: Page) -> list[str]:
    """Return what axe calls serious or critical: the rule, and the first element it is about."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']} ({len(one['nodes'])} times): {one['nodes'][0]['html'][:160]}"
        f" {one['nodes'][0].get('failureSummary', '')[:300]}"
        for one in found
        if one["impact"] in SERIOUS
    ]


def sideways(page: Page) -> list[str]:
    """Return what is wrong on the smallest screen."""
    page.set_viewport_size({"width": 320, "height": 800})
    width = page.evaluate("document.documentElement.scrollWidth")
    return [f"{width} px wide at 320"] if width > 320 else []
