"""Everything the agent reports, in order and until it is delivered.

One thread sends. Lifecycle reports go before log lines, so that a talkative script cannot hold
back `ready`; each kind keeps its own order. Both queues are bounded, so a server that is away for
days costs neither memory nor the agent's life.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any

from .client import Client, Delay, Refused, Unreachable
from .state import timestamp

BATCH = 200
INTERVAL = 0.25
HEARTBEAT = 30.0
MOST_STATES, MOST_LINES = 100, 20_000


class Outbox(threading.Thread):
    """Send reports to the server; `put_state` and `put_line` never block."""

    def __init__(self, client: Client) -> None:
        super().__init__(name="outbox", daemon=True)
        self._client = client
        self._states: deque[dict[str, Any]] = deque(maxlen=MOST_STATES)
        self._lines: deque[dict[str, Any]] = deque()
        self._dropped = 0
        self._changed = threading.Condition()
        self._hurry = False
        self._logs_due = self._heartbeat_due = 0.0

    def put_state(self, state: str) -> None:
        with self._changed:
            self._states.append({"state": state, "changed_at": timestamp()})
            self._changed.notify_all()

    def put_line(self, output: str, level: str = "info") -> None:
        """Queue one log line; when the queue is full it is counted instead of kept."""
        with self._changed:
            if len(self._lines) >= MOST_LINES:
                self._dropped += 1
                return
            if self._dropped:
                text = f"[{self._dropped} lines were lost: the server could not keep up]"
                self._lines.append(_line(text, "warn"))
                self._dropped = 0
            self._lines.append(_line(output, level))
            self._changed.notify_all()

    def flush(self, seconds: float) -> bool:
        """Wait until all is delivered, at most that long; lines no longer wait for company."""
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: not self._states and not self._lines, seconds)

    def run(self) -> None:
        delay = Delay()
        self._heartbeat_due = time.monotonic() + HEARTBEAT
        while True:
            self._wait_for_work()
            try:
                self._send_next()
                delay.reset()
            except (Unreachable, Refused):
                time.sleep(delay.next())

    def _wait_for_work(self) -> None:
        with self._changed:
            while not self._is_due(time.monotonic()):
                self._changed.wait(self._seconds_to_next())

    def _is_due(self, now: float) -> bool:
        lines_due = self._lines and (self._hurry or now >= self._logs_due)
        return bool(self._states or lines_due or now >= self._heartbeat_due)

    def _seconds_to_next(self) -> float:
        due = min(self._logs_due, self._heartbeat_due) if self._lines else self._heartbeat_due
        return max(due - time.monotonic(), 0.0)

    def _send_next(self) -> None:
        with self._changed:
            state = self._states[0] if self._states else None
            lines = [self._lines[i] for i in range(min(BATCH, len(self._lines)))]
        if state:
            self._deliver("POST", "/lifecycle", state)
            self._forget(self._states, [state])
        elif lines and (self._hurry or time.monotonic() >= self._logs_due):
            self._deliver("PATCH", "/logs", {"logs": lines})
            self._forget(self._lines, lines)
            self._logs_due = time.monotonic() + INTERVAL
        else:
            self._deliver("POST", "/heartbeat", {})

    def _deliver(self, method: str, path: str, body: dict[str, Any]) -> None:
        """Send; a report the server will never take is given up. Raises when worth a retry."""
        try:
            self._client.send(method, path, body)
        except Refused as refusal:
            if not refusal.is_final:
                raise
        self._heartbeat_due = time.monotonic() + HEARTBEAT

    def _forget(self, queue: deque[dict[str, Any]], sent: list[dict[str, Any]]) -> None:
        with self._changed:
            for item in sent:
                # By identity: a full queue may have pushed out its oldest entry meanwhile.
                if queue and queue[0] is item:
                    queue.popleft()
            self._changed.notify_all()


def _line(output: str, level: str) -> dict[str, Any]:
    return {"created_at": timestamp(), "level": level, "stage": "startup", "output": output}
