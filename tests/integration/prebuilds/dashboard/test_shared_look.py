"""The stream of the start page looks first; then every tab's refresh finds what it saw."""

import asyncio

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError, connection, connections
from django.test import AsyncClient, Client
from django.utils import timezone

from prebuilds.dashboard.pools import look as room
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
    room.LOOKS._kept.clear()
    room.LOOKS._turns.clear()
    listening.hub().stop()


@sync_to_async
def seen(house: House) -> room.PoolsLook | None:
    """Return what admins' tabs would be served, and leave no connection in the loop's thread."""
    try:
        return room.LOOKS.find(room.eyes_of(house.admin))
    finally:
        connections.close_all()


async def open_stream(house: House):
    client = AsyncClient()
    await client.aforce_login(house.admin)
    response = await client.get("/live/dashboard")
    assert response.status_code == 200
    return aiter(response.streaming_content)


async def hear(events, name: str) -> None:
    async with asyncio.timeout(DEADLINE):
        while f"event: {name}" not in (await anext(events)).decode():
            pass


@sync_to_async
def want(house: House, instances: int) -> None:
    Preset.objects.filter(pk=house.preset.pk).update(desired_instances=instances)


async def hear_of_a_change(house: House) -> None:
    events = await open_stream(house)
    await hear(events, "hello")
    await asyncio.to_thread(listening.hub()._listening.wait, DEADLINE)
    await want(house, 7)
    await hear(events, "stale")
    await events.aclose()


def look_now(house: House) -> None:
    eyes = room.eyes_of(house.admin)

    async def read() -> room.PoolsLook:
        return await sync_to_async(room._look_aside, thread_sensitive=False)(eyes)

    asyncio.run(room.LOOKS.renew(eyes, read, rung_at=0.0))


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
        room._look_aside(room.eyes_of(house.admin))
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
