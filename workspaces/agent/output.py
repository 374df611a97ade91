"""What a start-up script prints: into the log file, to the server, and never too much of it.

The script's pipe is read to its very end whatever happens, because a script, or what it left
running, must never block on a full pipe or die of a closed one.
"""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

LINE_LIMIT = 2_000
TOTAL_LIMIT = 1_000_000
TAIL = 200
CHUNK = 65_536
CUT = f"[the log is cut here: more than {TOTAL_LIMIT} characters]"


class StartLog:
    """The log of one start: capped, with the tail kept for the end. Safe between threads."""

    def __init__(self, path: Path, emit: Callable[[str], None]) -> None:
        self._emit = emit
        self._left = TOTAL_LIMIT
        self._tail: deque[bytes] = deque(maxlen=TAIL)
        self._rest = b""
        self._lock = threading.Lock()
        if path.exists():
            # What an earlier start left running still writes there, through its own handle.
            path.replace(path.with_suffix(".log.1"))
        self._file = path.open("w", encoding="utf-8")

    def feed(self, data: bytes) -> None:
        """Take a piece of output, cut anywhere."""
        with self._lock:
            *lines, rest = self._split(self._rest + data)
            self._rest = rest if len(rest) <= CHUNK else rest[: LINE_LIMIT * 4]
            for line in lines:
                self._take(line)

    def _split(self, data: bytes) -> list[bytes]:
        if self._left > 0:
            return data.split(b"\n")
        # Past the cap only the end matters; splitting all of a flood would cost minutes.
        pieces = data.rsplit(b"\n", TAIL)
        return pieces[1:] if len(pieces) > TAIL else pieces

    def close_foreground(self) -> None:
        """The script has ended: take an unfinished last line; after a cut, keep the tail too."""
        with self._lock:
            rest, self._rest = self._rest, b""
            if rest:
                self._take(rest)
            if self._left <= 0:
                self._write([f"[the last {len(self._tail)} lines]", *map(_clean, self._tail)])
            self._write([])

    def _take(self, raw: bytes) -> None:
        self._tail.append(raw[: LINE_LIMIT * 4])
        if self._left <= 0:
            return
        line = _clean(raw)
        # A newline counts too, else a flood of empty lines would have no end.
        self._left -= len(line) + 1
        if self._left <= 0:
            line = CUT
        self._write([line])
        self._emit(line)

    def _write(self, lines: list[str]) -> None:
        try:
            self._file.write("".join(line + "\n" for line in lines))
            self._file.flush()
        except OSError:
            pass  # a full disk must not end the workspace; the server still gets the lines


class Reader(threading.Thread):
    """Read a pipe to its end into a StartLog."""

    def __init__(self, pipe: int, log: StartLog) -> None:
        super().__init__(name="output", daemon=True)
        self._pipe, self._log = pipe, log
        self._idle = threading.Event()
        self._script_ended = False

    def drain(self, seconds: float = 1.0) -> None:
        """After the script's end: wait until its output is read, however long the pipe lives on."""
        self._script_ended = True
        self._idle.wait(seconds)
        self._log.close_foreground()

    def run(self) -> None:
        try:
            while self._has_data() and (data := os.read(self._pipe, CHUNK)):
                self._log.feed(data)
        except OSError:
            pass
        finally:
            self._idle.set()
            os.close(self._pipe)

    def _has_data(self) -> bool:
        """Block until there is something to read, or the end; note the first idle moment."""
        while not self._idle.is_set():
            # Looked at before the pipe: what was written before the script's end is then seen.
            ended = self._script_ended
            if select.select([self._pipe], [], [], 0.05)[0]:
                return True
            if ended:
                self._idle.set()
        return True  # read() blocks by itself from here on


def _clean(raw: bytes) -> str:
    """Return one line fit for a database: no NUL, the last state of a progress bar, bounded."""
    text = raw[: LINE_LIMIT * 4].decode("utf-8", "replace").replace("\0", "")
    return text.rstrip("\r").rpartition("\r")[2][:LINE_LIMIT]
