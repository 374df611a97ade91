"""Run django-q2's qcluster so that a signal to the whole process group stops it, too.

honcho, systemd and terminals signal every process of a group. In django-q2 1.11 that kills the
sentinel before its parent, which then waits for it for ever. So the cluster gets a session of its
own, and only its parent process hears of the signal.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand

GRACE_SECONDS = 60.0  # more than the longest task: Q_CLUSTER["timeout"]
KILLED = 128 + signal.SIGKILL
_PR_SET_PDEATHSIG = 1


class Command(BaseCommand):
    help = "Run the task queue's workers; stops cleanly on SIGTERM, at once on a second one."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        sys.exit(Cluster().run())


class Cluster:
    """The child process tree, and how often we were asked to stop it."""

    def __init__(self) -> None:
        self._requests = 0
        self._deadline = float("inf")

    def run(self) -> int:
        """Run until the cluster ends; return 0 when it ended because we were asked to."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        self._child = _start()
        code = self._wait()
        _signal_group(self._child.pid, signal.SIGKILL)  # a dead parent leaves its children working
        return code

    def _wait(self) -> int:
        while True:
            if self._requests:
                self._stop_request()
            try:
                code = self._child.wait(timeout=0.2)
            except subprocess.TimeoutExpired:
                if time.monotonic() < self._deadline:
                    continue
                return KILLED
            return 0 if self._requests else code or 1

    def _stop_request(self) -> None:
        if self._requests > 1:
            self._deadline = 0.0
        elif self._deadline == float("inf"):
            self._deadline = time.monotonic() + GRACE_SECONDS
            self._child.send_signal(signal.SIGTERM)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._requests += 1


def _start() -> subprocess.Popen[bytes]:
    parent = os.getpid()
    die_with_parent = _parent_death_signal()

    def before_exec() -> None:
        die_with_parent()
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    command = [sys.executable, sys.argv[0], "qcluster"]
    # One thread so far, so a preexec_fn is safe here.
    return subprocess.Popen(command, start_new_session=True, preexec_fn=before_exec)  # noqa: PLW1509


def _parent_death_signal() -> Any:
    """Return a function that asks Linux for a SIGTERM when our parent dies, by kill -9 even."""
    if not sys.platform.startswith("linux"):
        return lambda: None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _signal_group(leader: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(leader, number)
