"""The hub: one LISTEN connection per process, fanned out in memory."""

import asyncio
import time
from contextlib import ExitStack
from threading import Event, Thread

import psycopg
import pytest

from workspaces.listening import (
    BACKLOG_LIMIT,
    POOLS,
    RECONCILE,
    WORKSPACE_CLAIMED,
    Hub,
    Notification,
    connection_params,
    hub,
)

pytestmark = pytest.mark.django_db(transaction=True)

LISTENERS = """
SELECT pid FROM pg_stat_activity
 WHERE datname = current_database() AND query LIKE 'LISTEN%' AND pid <> pg_backend_pid()
"""
SOON = 10.0


@pytest.fixture
def ringer(transactional_db):
    """A connection that rings, of the test's own."""
    with psycopg.connect(**connection_params(), autocommit=True) as connection:
        yield connection


@pytest.fixture
def the_hub(ringer):
    made = Hub()
    yield made
    made._stopped.set()
    ring(ringer, POOLS)  # it looks whether it is stopped when something rings
    made.stop()


def ring(connection, channel, payload=""):
    connection.execute("SELECT pg_notify(%s, %s)", [channel, payload])


def listeners(connection):
    return [row[0] for row in connection.execute(LISTENERS).fetchall()]


def wait_until(condition):
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline, "not within 10 s"
        time.sleep(0.02)


def next_bell(subscription):
    """Return the next bell; announcements of a (re)connect are passed over."""
    while heard := subscription.wait(SOON):
        if heard.channel:
            return heard
    return None


async def next_bell_async(subscription):
    while heard := await subscription.get(SOON):
        if heard.channel:
            return heard
    return None


def settle(hub, ringer, *subscriptions):
    """Wait until the hub listens and everything it has to announce is delivered and forgotten."""
    wait_until(hub._listening.is_set)
    with hub.subscribe(RECONCILE) as probe:
        ring(ringer, RECONCILE, "probe")
        while next_bell(probe).payload != "probe":
            pass
    for subscription in subscriptions:
        subscription.drain()


def test_a_thread_hears_a_bell(the_hub, ringer):
    with the_hub.subscribe(RECONCILE) as bells:
        ring(ringer, RECONCILE)

        assert next_bell(bells) == Notification(RECONCILE)


async def test_a_coroutine_hears_that_it_is_connected_and_then_a_bell(the_hub, ringer):
    with the_hub.subscribe(RECONCILE) as bells:
        assert await bells.get(SOON) == Notification("")

        ring(ringer, RECONCILE)

        assert await bells.get(SOON) == Notification(RECONCILE)


async def test_a_coroutine_that_waits_does_not_block_the_loop(the_hub, ringer):
    with the_hub.subscribe(RECONCILE) as bells:
        await bells.get(SOON)
        waiting = asyncio.create_task(bells.get(SOON))
        await asyncio.sleep(0)

        ring(ringer, RECONCILE)

        assert await waiting == Notification(RECONCILE)


async def test_threads_and_coroutines_hear_the_same_bell(the_hub, ringer):
    heard, entered = [], Event()

    def in_a_thread():
        with the_hub.subscribe(POOLS) as bells:
            entered.set()
            heard.append(next_bell(bells))

    with the_hub.subscribe(POOLS) as one, the_hub.subscribe(POOLS) as other:
        thread = Thread(target=in_a_thread)
        thread.start()
        await asyncio.to_thread(entered.wait, SOON)
        await asyncio.to_thread(the_hub._listening.wait, SOON)

        ring(ringer, POOLS)

        assert await next_bell_async(one) == await next_bell_async(other) == Notification(POOLS)
        await asyncio.to_thread(thread.join, SOON)
    assert heard == [Notification(POOLS)]


async def test_waiting_in_a_coroutine_that_did_not_subscribe_is_a_mistake(the_hub):
    bells = await asyncio.to_thread(the_hub.subscribe, POOLS)

    with pytest.raises(RuntimeError, match="inside the event loop"):
        await bells.get(0)


def test_only_the_channels_asked_for_are_delivered(the_hub, ringer):
    with the_hub.subscribe(POOLS) as bells:
        ring(ringer, RECONCILE)
        ring(ringer, POOLS)

        assert next_bell(bells) == Notification(POOLS)


def test_only_the_payload_asked_for_is_delivered(the_hub, ringer):
    with (
        the_hub.subscribe(WORKSPACE_CLAIMED, payload="mine") as mine,
        the_hub.subscribe(WORKSPACE_CLAIMED) as all_of_them,
    ):
        for payload in ("yours", "mine"):
            ring(ringer, WORKSPACE_CLAIMED, payload)

        assert next_bell(mine) == Notification(WORKSPACE_CLAIMED, "mine")
        assert next_bell(all_of_them) == Notification(WORKSPACE_CLAIMED, "yours")
        assert next_bell(all_of_them) == Notification(WORKSPACE_CLAIMED, "mine")


def test_an_unknown_channel_is_refused(the_hub):
    with pytest.raises(ValueError, match="unknown channel gossip"):
        the_hub.subscribe("gossip", POOLS)


def test_after_unsubscribing_nothing_is_delivered(the_hub, ringer):
    with the_hub.subscribe(POOLS) as gone, the_hub.subscribe(POOLS) as here:
        settle(the_hub, ringer, gone, here)
        the_hub.remove(gone)

        ring(ringer, POOLS)

        assert here.wait(SOON) == Notification(POOLS)
        assert gone.wait(0) is None


def test_waiting_ends_when_the_time_is_over(the_hub, ringer):
    with the_hub.subscribe(POOLS) as bells:
        settle(the_hub, ringer, bells)

        assert bells.wait(0.01) is None
        assert bells.wait(0) is None


def test_draining_forgets_what_rang(the_hub, ringer):
    with the_hub.subscribe(POOLS) as bells, the_hub.subscribe(RECONCILE) as last:
        settle(the_hub, ringer, bells, last)
        for _ in range(3):
            ring(ringer, POOLS)
        ring(ringer, RECONCILE)
        assert last.wait(SOON)

        assert bells.drain() == 3
        assert bells.wait(0) is None


def test_a_lost_connection_is_mended_and_the_mending_is_announced(the_hub, ringer):
    with (
        the_hub.subscribe(POOLS) as bells,
        the_hub.subscribe(WORKSPACE_CLAIMED, payload="mine") as claims,
    ):
        settle(the_hub, ringer, bells, claims)
        (lost,) = listeners(ringer)

        ringer.execute("SELECT pg_terminate_backend(%s)", [lost])

        assert bells.wait(SOON) == claims.wait(SOON) == Notification("")
        (mended,) = listeners(ringer)
        assert mended != lost
        ring(ringer, POOLS)
        assert bells.wait(SOON) == Notification(POOLS)


def test_a_hundred_subscribers_share_one_connection(the_hub, ringer):
    with ExitStack() as stack:
        everybody = [stack.enter_context(the_hub.subscribe(POOLS)) for _ in range(100)]

        ring(ringer, POOLS)

        assert all(next_bell(one) == Notification(POOLS) for one in everybody)
        assert len(listeners(ringer)) == 1


def test_stopping_ends_the_connection_and_a_new_subscriber_starts_it_again(the_hub, ringer):
    with the_hub.subscribe(POOLS):
        wait_until(lambda: len(listeners(ringer)) == 1)

    the_hub.stop()
    wait_until(lambda: listeners(ringer) == [])

    with the_hub.subscribe(POOLS) as bells:
        ring(ringer, POOLS)
        assert next_bell(bells) == Notification(POOLS)


def test_what_a_slow_subscriber_cannot_keep_is_dropped_and_hurts_nobody(the_hub, ringer):
    with the_hub.subscribe(POOLS) as slow, the_hub.subscribe(RECONCILE) as other:
        settle(the_hub, ringer, slow, other)
        with ringer.transaction():
            for number in range(BACKLOG_LIMIT + 100):
                ring(ringer, POOLS, str(number))

        ring(ringer, RECONCILE)

        assert other.wait(SOON) == Notification(RECONCILE)
        assert slow.drain() == BACKLOG_LIMIT


def test_who_waits_when_the_hub_is_closed_hears_that_it_is_over(the_hub):
    heard = Event()

    def wait():
        with the_hub.subscribe(POOLS) as subscription:
            subscription.wait(SOON)
            if subscription.is_over:
                heard.set()

    thread = Thread(target=wait)
    thread.start()
    deadline = time.monotonic() + SOON
    while not the_hub._subscribers[POOLS]:
        assert time.monotonic() < deadline
    the_hub.close()
    thread.join(SOON)

    assert heard.is_set()


async def test_a_coroutine_that_waits_or_comes_later_hears_that_it_is_over(the_hub):
    with the_hub.subscribe(POOLS) as early:
        waiting = asyncio.ensure_future(early.get(timeout=60))
        await asyncio.sleep(0)
        the_hub.close()
        await asyncio.wait_for(waiting, SOON)
    with the_hub.subscribe(POOLS) as late:
        nothing = await asyncio.wait_for(late.get(timeout=60), SOON)

    assert early.is_over
    assert late.is_over
    assert nothing is None


def test_a_process_has_one_hub():
    assert hub() is hub()
