"""The agent's life: start, tell, wait to be claimed, start again as the new owner, end.

One thread decides; the others only put what happened into its inbox, so no two starts overlap.
"""

from __future__ import annotations

import argparse
import queue
import signal
import sys
import time
from pathlib import Path

from .client import Client, Delay, Manifest, Refused, Unreachable
from .outbox import Outbox
from .output import StartLog
from .reinit import ReinitWatch
from .script import Script
from .state import LOG, Config, StatusFile, read_config

STOP, SCRIPT_ENDED, CLAIMED = "stop", "script ended", "claimed"
LAST_WORDS = 1.0
"""Seconds spent on telling the server that this is the end."""
HURRIED = 60.0
"""Seconds after the agent's start in which a missing server is asked every second."""


class Stopped(Exception):
    """The agent was asked to end."""


class Agent:
    def __init__(self, directory: Path, config: Config) -> None:
        self._config = config
        self._log_path = directory / LOG
        self._status = StatusFile(directory)
        self._inbox: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self._client = Client(config.access_url, config.token, on_revoked=self.stop)
        self._outbox = Outbox(self._client)
        self._generation = 0
        self._owner_id = ""
        self._claims: list[str] = []
        self._script: Script | None = None

    def stop(self) -> None:
        """Ask the agent to end; safe from signal handlers and threads."""
        self._inbox.put((STOP, ""))

    def run(self) -> int:
        try:
            self._live()
        except Stopped:
            self._end()
        return 0

    def _live(self) -> None:
        self._note("created", "Waiting for the server")
        manifest = self._fetch_manifest(Delay(most=1.0))
        self._outbox.start()
        ReinitWatch(self._client, lambda owner: self._inbox.put((CLAIMED, owner))).start()
        self._start_up(manifest)
        while True:
            owner_id = self._next_claim()
            if owner_id != self._owner_id:
                self._start_up(self._fetch_manifest(Delay()))

    def _next_claim(self) -> str:
        while not self._claims:
            self._wait_for(CLAIMED, None)
        return self._claims.pop(0)

    def _wait_for(self, wanted: str, seconds: float | None) -> bool:
        """Take from the inbox until `wanted` is there; a claim that comes meanwhile is kept."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while True:
            left = None if deadline is None else max(deadline - time.monotonic(), 0.0)
            try:
                kind, value = self._inbox.get(timeout=left)
            except queue.Empty:
                return False
            if kind == STOP:
                raise Stopped
            if kind == CLAIMED:
                self._claims.append(value)
            if kind == wanted:
                return True

    def _fetch_manifest(self, delay: Delay) -> Manifest:
        began = time.monotonic()
        while True:
            try:
                return self._client.fetch_manifest()
            except (Unreachable, Refused) as problem:
                if not self._generation:
                    self._note("created", f"Waiting for the server: {problem}")
            hurried = time.monotonic() - began < HURRIED
            self._wait_for("", delay.next() if hurried else 10.0)

    def _start_up(self, manifest: Manifest) -> None:
        self._generation += 1
        self._owner_id = manifest.owner_id
        self._tell("starting")
        if not manifest.startup_script.strip():
            self._tell("ready", exit_code=0)
            return
        # Named by generation: a late end of one start must not pass for the end of the next.
        ended_kind = f"{SCRIPT_ENDED} {self._generation}"
        log = StartLog(self._log_path, self._outbox.put_line)
        try:
            self._script = Script(
                manifest, self._config, log, lambda: self._inbox.put((ended_kind, ""))
            )
        except OSError as error:
            self._fail("start_error", f"The start-up script cannot be run: {error}")
            return
        ended = self._wait_for(ended_kind, manifest.startup_timeout_seconds or None)
        if not ended:
            self._script.kill()
            self._wait_for(ended_kind, LAST_WORDS)
        self._conclude(ended, self._script.exit_code, manifest)

    def _conclude(self, ended: bool, code: int | None, manifest: Manifest) -> None:
        limit = manifest.startup_timeout_seconds
        if not ended:
            self._fail("start_timeout", f"The start-up script ran longer than {limit:g} s", code)
        elif code:
            self._fail("start_error", describe_exit(code), code)
        else:
            self._tell("ready", exit_code=0)

    def _fail(self, state: str, message: str, code: int | None = None) -> None:
        self._outbox.put_line(message, "error")
        self._tell(state, message, code)

    def _tell(self, state: str, message: str = "", exit_code: int | None = None) -> None:
        self._outbox.put_state(state)
        self._note(state, message, exit_code)

    def _note(self, state: str, message: str = "", exit_code: int | None = None) -> None:
        self._status.write(
            state,
            generation=max(self._generation, 1),
            owner_id=self._owner_id,
            exit_code=exit_code,
            message=message,
        )

    def _end(self) -> None:
        """Stop a script that is still starting, and say goodbye if the server listens."""
        if self._script and self._script.exit_code is None:
            self._script.kill()
        self._tell("shutting_down")
        if self._outbox.is_alive():
            self._outbox.flush(LAST_WORDS)
        self._note("off")


def describe_exit(code: int) -> str:
    """Say in words how a process ended."""
    if code >= 0:
        return f"The start-up script ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"The start-up script was killed by {name}"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="agent", description="Runs inside a workspace.")
    parser.add_argument("--dir", type=Path, required=True, help="the agent's state directory")
    directory: Path = parser.parse_args(arguments).dir
    try:
        config = read_config(directory)
    except (OSError, ValueError, KeyError) as error:
        print(f"error: {directory} holds no usable configuration: {error!r}", file=sys.stderr)
        return 2
    agent = Agent(directory, config)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: agent.stop())
    return agent.run()
