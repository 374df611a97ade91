"""One look serves many tabs."""

import asyncio

import pytest

from prebuilds.dashboard.live.looks import KEPT_SECONDS, Looks


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


class Eye:
    """Counts how often it looked; a look takes a moment."""

    def __init__(self):
        self.looks = 0

    async def __call__(self):
        self.looks += 1
        await asyncio.sleep(0)
        return f"look {self.looks}"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def looks(clock):
    return Looks(clock)


async def test_the_tabs_that_heard_the_same_bell_share_one_look(looks):
    eye = Eye()

    await asyncio.gather(*(looks.renew("all", eye, rung_at=99.0) for _ in range(20)))

    assert (eye.looks, looks.find("all")) == (1, "look 1")


async def test_a_bell_that_rings_after_a_look_began_wants_another(looks):
    eye = Eye()
    await looks.renew("all", eye, rung_at=99.0)

    await looks.renew("all", eye, rung_at=100.0)

    assert looks.find("all") == "look 2"


async def test_whoever_comes_during_a_look_of_an_earlier_bell_looks_again(looks, clock):
    eye = Eye()
    first = asyncio.create_task(looks.renew("all", eye, rung_at=99.0))
    await asyncio.sleep(0)
    clock.now = 101.0

    await looks.renew("all", eye, rung_at=100.5)
    await first

    assert looks.find("all") == "look 2"


async def test_what_depends_on_other_eyes_is_looked_at_apart(looks):
    eye = Eye()

    await looks.renew("one", eye, rung_at=99.0)
    await looks.renew("other", eye, rung_at=99.0)

    assert (looks.find("one"), looks.find("other")) == ("look 1", "look 2")


async def test_a_look_is_served_for_two_seconds_and_not_longer(looks, clock):
    await looks.renew("all", Eye(), rung_at=99.0)

    clock.now += KEPT_SECONDS
    found = looks.find("all")
    clock.now += 0.01

    assert (found, looks.find("all")) == ("look 1", None)


async def test_old_looks_take_no_room(looks, clock):
    for number in range(50):
        clock.now += 1
        await looks.renew(number, Eye(), rung_at=0.0)

    assert len(looks._kept) == len(looks._turns) == 3


async def test_a_look_that_fails_leaves_the_next_one_its_turn(looks):
    async def fail():
        raise OSError("away")

    with pytest.raises(OSError, match="away"):
        await looks.renew("all", fail, rung_at=99.0)
    await looks.renew("all", Eye(), rung_at=99.0)

    assert looks.find("all") == "look 1"
