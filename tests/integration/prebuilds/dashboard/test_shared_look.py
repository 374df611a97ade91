"""A stream looks first; then every tab's refresh finds what it saw."""

import asyncio
from collections.abc import Callable, Hashable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError, connection, connections
from django.test import AsyncClient, Client
from django.utils import timezone

from accounts.models import User
from prebuilds.dashboard.live.looks import Looks
from prebuilds.dashboard.live.views import _aside
from prebuilds.dashboard.pools import look as room
from prebuilds.dashboard.preset import queries
from prebuilds.models import PrebuildsSettings
from templates_app.models import Preset
from tests.integration.prebuilds.dashboard.house import House
from tests.integration.prebuilds.dashboard.test_pools_page import count_statements
from workspaces import listening

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])

DEADLINE = 15.0


@pytest.fixture(autouse=True)
def forget():
    yield
    for looks in (room.LOOKS, queries.LOOKS):
        looks._kept.clear()
        looks._turns.clear()
    listening.hub().stop()


@sync_to_async
def seen(house: House) -> room.PoolsLook | None:
    """Return what admins' tabs would be served, and leave no connection in the loop's thread."""
    try:
        return room.LOOKS.find(room.eyes_of(house.admin))
    finally:
        connections.close_all()


async def open_stream(house: House, address: str):
    client = AsyncClient()
    await client.aforce_login(house.admin)
    response = await client.get(address)
    assert response.status_code == 200
    return aiter(response.streaming_content)


async def hear(events, name: str) -> None:
    async with asyncio.timeout(DEADLINE):
        while f"event: {name}" not in (await anext(events)).decode():
            pass


@sync_to_async
def want(house: House, instances: int) -> None:
    Preset.objects.filter(pk=house.preset.pk).update(desired_instances=instances)


async def hear_of_a_change(house: House, address: str = "/live/dashboard") -> None:
    events = await open_stream(house, address)
    await hear(events, "hello")
    await asyncio.to_thread(listening.hub()._listening.wait, DEADLINE)
    await want(house, 7)
    await hear(events, "stale")
    await events.aclose()


def look_now(house: House) -> None:
    eyes = room.eyes_of(house.admin)
    renew(room.LOOKS, eyes, lambda: room.look_at_pools(eyes, now=timezone.now()))


def look_at_preset(house: House) -> None:
    now = timezone.now()
    preset = queries.read_preset(house.preset.pk, now)
    renew(queries.LOOKS, house.preset.pk, lambda: queries.look_at(preset, now))


def renew(looks: Looks[Any], key: Hashable, look: Callable[[], Any]) -> None:
    async def read() -> Any:
        return await asyncio.to_thread(_aside, look)

    asyncio.run(looks.renew(key, read, rung_at=0.0))


async def test_before_a_tab_hears_of_a_change_the_stream_has_looked(house: House) -> None:
    await hear_of_a_change(house)

    look = await seen(house)
    assert look is not None
    assert [pool.desired for pool in look.overview.pools] == [7]


def test_a_refresh_after_a_look_takes_four_statements_at_most(
    admin_client: Client, house: House
) -> None:
    admin_client.get("/")

    look_now(house)

    assert count_statements(admin_client, "/pools/table") <= 4


def test_a_refresh_without_a_stream_looks_for_itself(admin_client: Client, house: House) -> None:
    look_now(house)
    room.LOOKS._kept.clear()
    PrebuildsSettings.objects.create(reconciliation_paused=True, paused_at=timezone.now())

    assert "Paused" in admin_client.get("/pools/table", headers={"HX-Request": "true"}).text


def test_nobody_is_served_a_look_of_other_eyes(
    member_client: Client, admin_client: Client, house: House
) -> None:
    look_now(house)

    page = member_client.get("/pools/table", headers={"HX-Request": "true"}).text

    assert "Last cycle" in admin_client.get("/pools/table", headers={"HX-Request": "true"}).text
    assert "Last cycle" not in page


def test_a_look_aside_keeps_no_connection_open(house: House) -> None:
    kept = []

    def look() -> None:
        _aside(lambda: room.look_at_pools(room.eyes_of(house.admin), now=timezone.now()))
        kept.extend(one.connection for one in connections.all(initialized_only=True))

    asyncio.run(asyncio.to_thread(look))

    assert kept
    assert set(kept) == {None}
    assert connection.connection is not None


async def test_a_stream_whose_look_fails_tells_its_tab_all_the_same(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OperationalError("away")

    monkeypatch.setattr(room, "look_at_pools", fail)

    await hear_of_a_change(house)

    assert await seen(house) is None


async def test_a_stranger_gets_no_stream(async_client: AsyncClient) -> None:
    assert (await async_client.get("/live/dashboard")).status_code == 401


async def test_a_presets_stream_looks_at_its_pool(house: House) -> None:
    await hear_of_a_change(house, f"/live/presets/{house.preset.pk}")

    look = queries.LOOKS.find(house.preset.pk)
    await sync_to_async(connections.close_all)()
    assert look is not None
    assert look.preset.desired_instances == 7


def test_a_presets_refresh_after_a_look_takes_four_statements_at_most(
    admin_client: Client, house: House
) -> None:
    admin_client.get("/")

    look_at_preset(house)

    assert count_statements(admin_client, f"/presets/{house.preset.pk}/state") <= 4


def test_what_others_see_of_a_preset_does_not_open_it_to_a_stranger(house: House) -> None:
    stranger = Client()
    stranger.force_login(User.objects.create_user("far"))

    look_at_preset(house)

    assert stranger.get(f"/presets/{house.preset.pk}/state").status_code == 404


def test_a_look_at_a_preset_says_when_it_was_taken(admin_client: Client, house: House) -> None:
    look_at_preset(house)
    taken = queries.LOOKS.find(house.preset.pk)

    page = admin_client.get(f"/presets/{house.preset.pk}/state")

    assert taken is not None
    assert page.context["as_of"] == taken.as_of
