"""Wait for somebody to claim the workspace (semantics.md 15).

Asking ends for ever with the claim, or with 409: this workspace was never, or is no longer, one
that can be claimed. Everything else (a closed stream, a dead server, `error`) means: ask again.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from .client import Client, Delay, Refused, Unreachable

SILENCE = 60.0
"""Seconds without a byte, pings included, after which the stream counts as dead."""
LINE_LIMIT = 65_536


class ReinitWatch(threading.Thread):
    """Ask until the workspace is claimed, then call `on_claim(user_id)` once."""

    def __init__(self, client: Client, on_claim: Callable[[str], None]) -> None:
        super().__init__(name="reinit", daemon=True)
        self._client = client
        self._on_claim = on_claim
        self._delay = Delay()

    def run(self) -> None:
        while True:
            try:
                owner = self._listen()
            except Refused as refusal:
                if refusal.status == http.client.CONFLICT:
                    return
            except Unreachable:
                pass
            else:
                if owner:
                    self._on_claim(owner)
                    return
            time.sleep(self._delay.next())

    def _listen(self) -> str:
        """Follow one stream; return the new owner's id, or nothing when it ended without one."""
        connection, response = self._client.open_stream("/reinit", silence=SILENCE)
        try:
            for event, data in read_events(response):
                self._delay.reset()
                if event == "data" and (owner := claimed_by(data)):
                    return owner
                if event == "error":
                    break
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(str(error)) from error
        finally:
            connection.close()
        return ""


def read_events(stream: Any) -> Iterator[tuple[str, str]]:
    """Yield (event, data) of a server-sent event stream; `message` where it names none."""
    event = "message"
    data: list[str] = []
    while line := stream.readline(LINE_LIMIT):
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        name, _, value = text.partition(":")
        value = value.removeprefix(" ")
        if not text:
            if data or event != "message":
                yield event, "\n".join(data)
            event, data = "message", []
        elif name == "event":
            event = value
        elif name == "data":
            data.append(value)


def claimed_by(data: str) -> str:
    """Return who claimed, or nothing when the event tells something else."""
    try:
        values = json.loads(data)
        return str(values["user_id"]) if values["reason"] == "prebuild_claimed" else ""
    except (ValueError, KeyError, TypeError):
        return ""
