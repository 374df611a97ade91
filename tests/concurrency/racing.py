"""Run things at the same instant, in threads with connections of their own and real commits."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from django.db import connections, transaction

PATIENCE = 20.0
"""Seconds after which something that waits for a lock counts as hanging."""


def race(*actors: Callable[[], Any]) -> list[Any]:
    """Start all actors at once; return, in their order, what each returned or raised."""
    barrier = threading.Barrier(len(actors), timeout=PATIENCE)
    with ThreadPoolExecutor(len(actors)) as pool:
        futures = [pool.submit(_act, actor, barrier) for actor in actors]
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

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(_act, hold, threading.Barrier(1))
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


def errors(outcomes: Sequence[Any]) -> list[Exception]:
    return [one for one in outcomes if isinstance(one, Exception)]


def _act(actor: Callable[[], Any], barrier: threading.Barrier) -> Any:
    try:
        barrier.wait()
        return actor()
    finally:
        connections.close_all()


def _outcome(future: "Future[Any]") -> Any:
    try:
        return future.result(PATIENCE)
    except Exception as error:
        return error
