"""The order in which a web process ends, without a web process."""

import asyncio
import signal
import time

import pytest
import uvicorn

from config.shutdown import Departure, lifespan, take_over_signals

SOON = 5


class House:
    """A server that was never started, and what was done to it in which order."""

    def __init__(self, delay=0.0):
        self.server = uvicorn.Server(uvicorn.Config(app="none:none"))
        self.steps = []
        self.departure = Departure(
            self.server,
            delay=delay,
            refuse_traffic=lambda: self.steps.append("refuse traffic"),
            end_streams=lambda: self.steps.append(f"end streams, exit {self.server.should_exit}"),
        )

    def signal(self):
        self.departure.on_signal(signal.SIGTERM, None)


async def until(is_so):
    """Let the loop go on until it is so."""
    deadline = time.monotonic() + SOON
    while not is_so():
        assert time.monotonic() < deadline
        await asyncio.sleep(0)


async def test_traffic_is_refused_then_streams_end_then_the_server_stops():
    house = House()

    house.signal()
    await until(lambda: house.server.should_exit)

    assert house.steps == ["refuse traffic", "end streams, exit False"]
    assert not house.server.force_exit


async def test_nothing_is_done_within_the_signal_handler_itself():
    house = House()

    house.signal()

    assert house.steps == []


async def test_with_a_delay_it_serves_on_while_it_refuses_traffic():
    house = House(delay=60)

    house.signal()
    await until(lambda: house.steps)

    assert house.steps == ["refuse traffic"]
    assert not house.server.should_exit


async def test_a_second_signal_ends_the_delay_and_waits_for_nobody():
    house = House(delay=60)

    house.signal()
    house.signal()
    await until(lambda: house.server.should_exit)

    assert house.steps == ["refuse traffic", "end streams, exit False"]
    assert house.server.force_exit


@pytest.fixture
def _signals():
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_signals")
async def test_it_stands_before_uvicorn_which_then_captures_no_signal():
    server, steps = uvicorn.Server(uvicorn.Config(app="none:none")), []
    signal.signal(signal.SIGTERM, server.handle_exit)

    taken = take_over_signals(
        delay=0, refuse_traffic=lambda: None, end_streams=lambda: steps.append("ended")
    )
    signal.raise_signal(signal.SIGTERM)
    await until(lambda: server.should_exit)

    assert taken
    assert steps == ["ended"]
    assert server._captured_signals == []  # it would die of them at the end


@pytest.mark.usefixtures("_signals")
async def test_a_server_that_is_no_uvicorn_keeps_its_signals():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

    taken = take_over_signals(delay=0, refuse_traffic=lambda: None, end_streams=lambda: None)

    assert not taken
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN


async def test_the_server_hears_that_we_have_started_and_ended():
    asked = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    said, started = [], []

    async def receive():
        return next(asked)

    async def send(message):
        said.append(message["type"])

    await lifespan(receive, send, on_start=lambda: started.append(list(said)))

    assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert started == [[]]
