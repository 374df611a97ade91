"""Run things at the same instant, in threads with connections of their own and real commits."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from django.db import connection, connections, transaction

PATIENCE = 25.0
"""Seconds after which something that waits for a lock counts as hanging."""


BLOCKED = """
SELECT count(*) FROM pg_stat_activity
 WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0
"""


def race(*actors: Callable[[], Any]) -> list[Any]:
    """Start all actors at once; return, in their order, what each returned or raised.

    One that hangs is a TimeoutError, and is left behind as a daemon thread.
    """
    barrier = threading.Barrier(len(actors), timeout=PATIENCE)
    futures = [_start(actor, barrier) for actor in actors]
    return [_outcome(future) for future in futures]


def alongside(actor: Callable[[], Any]) -> Any:
    """Run one actor on a connection of its own, bounded, and return what it returned."""
    (outcome,) = race(actor)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


@contextmanager
def uncommitted(actor: Callable[[], Any]) -> Iterator[Any]:
    """Hold what an actor did in an open transaction of another thread until the block ends."""
    done, finish = threading.Event(), threading.Event()
    results: list[Any] = []

    def hold() -> None:
        with transaction.atomic():
            results.append(actor())
            done.set()
            if not finish.wait(PATIENCE):
                raise TimeoutError("nobody ended the block")

    future = _start(hold, threading.Barrier(1))
    future.add_done_callback(lambda _: done.set())
    try:
        if not done.wait(PATIENCE):
            raise TimeoutError("the actor hangs")
        if future.done():
            future.result()
        yield results[0]
    finally:
        finish.set()
        future.result(PATIENCE)


def blocked_by(first: Callable[[], Any], second: Callable[[], Any]) -> Any:
    """Let `second` run into the locks of `first`, then commit `first`; return what `second` did."""
    with uncommitted(first):
        future = _start(second, threading.Barrier(1))
        _wait_for_a_blocked_backend(future)
    outcome = _outcome(future)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _wait_for_a_blocked_backend(future: "Future[Any]") -> None:
    deadline = time.monotonic() + PATIENCE
    with connection.cursor() as cursor:
        while not future.done():
            cursor.execute(BLOCKED)
            if cursor.fetchone() != (0,):
                return
            if time.monotonic() > deadline:
                raise TimeoutError("nobody waits for a lock")
            time.sleep(0.01)


def errors(outcomes: Sequence[Any]) -> list[Exception]:
    return [one for one in outcomes if isinstance(one, Exception)]


def _start(actor: Callable[[], Any], barrier: threading.Barrier) -> "Future[Any]":
    future: Future[Any] = Future()
    threading.Thread(target=_act, args=(actor, barrier, future), daemon=True).start()
    return future


def _act(actor: Callable[[], Any], barrier: threading.Barrier, future: "Future[Any]") -> None:
    try:
        barrier.wait()
        result = actor()
    except BaseException as error:  # noqa: BLE001  the outcome, whatever it is
        connections.close_all()
        future.set_exception(error)
    else:
        connections.close_all()
        future.set_result(result)


def _outcome(future: "Future[Any]") -> Any:
    try:
        return future.result(PATIENCE)
    except Exception as error:  # noqa: BLE001  the caller looks at it
        return error
