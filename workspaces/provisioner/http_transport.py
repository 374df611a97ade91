"""How a daemon on another machine reaches the queue: small JSON requests, and a long poll.

Every statement may be repeated after a broken answer: an acquire asks again with the lease it
asked for before, and what ended a job already is told that the lease is lost.
"""

import http.client
import json
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, fields
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from workspaces.errors import LeaseLost
from workspaces.protocol import AcquiredJob, BuildResult, DaemonProfile, LogLine, ResourceReport
from workspaces.provisioner.transport import KeyRefused, TransportUnavailable

API: Final = "/api/v2/provisioner"
TIMEOUT: Final = 15.0
"""Seconds the server may take for an answer, on top of what it was asked to wait."""
LOG_BATCH: Final = 200_000
"""Characters of log in one request; the server reads no endless bodies."""
ERROR_LIMIT: Final = 8_000
PASSING: Final = (
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
)

Answer = dict[str, Any]


class RequestRefused(Exception):
    """The server does not accept what it was told; to say it again would be useless."""


class NotKnown(RequestRefused):
    """The server knows nothing of that daemon, job or address."""


class HttpTransport:
    """The queue of a server on another machine. `url` is the server's address."""

    def __init__(self, *, url: str, key: str) -> None:
        self._parts = urlsplit(url)
        self._key = key
        self._profile: DaemonProfile | None = None
        self._daemon_id = ""
        self._introducing = threading.Lock()
        self._unanswered: UUID | None = None
        self._line: socket.socket | None = None
        self._interrupted = False

    def register(self, profile: DaemonProfile) -> None:
        self._profile = profile
        self._daemon_id = str(self._ask("/daemons", asdict(profile))["id"])

    def touch(self) -> None:
        self._as_daemon("touch")

    def goodbye(self) -> None:
        lease = {"lease": self._unanswered} if self._unanswered else {}
        with suppress(NotKnown):
            self._post(f"/daemons/{self._daemon_id}/goodbye", lease)

    def reap(self) -> int:
        return int((self._as_daemon("reap") or {}).get("count", 0))

    def acquire(self, *, wait: float) -> AcquiredJob | None:
        # Until there is an answer the lease is the same, so no job can get lost on the way.
        self._unanswered = self._unanswered or uuid4()
        words = {"lease": self._unanswered, "wait_seconds": round(wait, 1)}
        try:
            answer = self._as_daemon("acquire", words, wait=wait)
        except TransportUnavailable:
            if self._interrupted:
                return None
            raise
        self._unanswered = None
        return _job_of(answer) if answer else None

    def interrupt(self) -> None:
        self._interrupted = True
        if line := self._line:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def heartbeat(self, job: AcquiredJob) -> bool:
        return bool((self._about(job, "heartbeat") or {}).get("cancel"))

    def append_logs(self, job: AcquiredJob, lines: Sequence[LogLine]) -> None:
        for batch in _batches(lines):
            self._about(job, "logs", lines=[asdict(line) for line in batch])

    def report_resources(self, job: AcquiredJob, resources: Sequence[ResourceReport]) -> None:
        self._about(job, "resources", resources=[asdict(one) for one in resources])

    def complete(self, job: AcquiredJob, result: BuildResult) -> None:
        self._about(job, "complete", **asdict(result))

    def fail(self, job: AcquiredJob, *, error: str, code: str) -> None:
        error = error.replace("\x00", "\ufffd")[-ERROR_LIMIT:]
        self._about(job, "fail", error=error, code=code)

    def finish_canceled(self, job: AcquiredJob) -> None:
        self._about(job, "finish-canceled")

    def release(self, job: AcquiredJob) -> None:
        self._about(job, "release")

    def _about(self, job: AcquiredJob, verb: str, **words: Any) -> Answer | None:
        """Say something about a job. Whoever may not any more has lost its lease."""
        words |= {"daemon_id": self._daemon_id, "lease": job.lease}
        try:
            return self._post(f"/jobs/{job.job_id}/{verb}", words)
        except (KeyRefused, NotKnown) as error:
            raise LeaseLost from error

    def _as_daemon(
        self, verb: str, words: Answer | None = None, *, wait: float | None = None
    ) -> Answer | None:
        """Say something about this daemon; one the server has forgotten introduces itself anew."""
        known_as = self._daemon_id
        try:
            return self._post(f"/daemons/{known_as}/{verb}", words or {}, wait=wait)
        except NotKnown:
            with self._introducing:
                if self._profile and self._daemon_id == known_as:
                    self.register(self._profile)
            return self._post(f"/daemons/{self._daemon_id}/{verb}", words or {}, wait=wait)

    def _ask(self, path: str, words: Answer) -> Answer:
        answer = self._post(path, words)
        if answer is None:
            raise TransportUnavailable("the server answered with nothing")
        return answer

    def _post(self, path: str, words: Answer, *, wait: float | None = None) -> Answer | None:
        """Send one request. With `wait`, `interrupt` cuts it short: it is then unavailable."""
        connection = self._connect(TIMEOUT + (wait or 0))
        try:
            connection.connect()
            if wait is not None:
                self._line = connection.sock
                if self._interrupted:
                    raise TransportUnavailable("interrupted")
            address = self._parts.path.rstrip("/") + API + path
            connection.request("POST", address, _encoded(words), self._headers())
            response = connection.getresponse()
            return _answer_of(response.status, response.read())
        except (OSError, http.client.HTTPException) as error:
            raise TransportUnavailable(str(error) or type(error).__name__) from error
        finally:
            if wait is not None:
                self._line = None
            connection.close()

    def _connect(self, timeout: float) -> http.client.HTTPConnection:
        secure = self._parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        return kind(self._parts.hostname or "", self._parts.port, timeout=timeout)

    def _headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self._key}",
            "Content-Type": "application/json",
            "Accept": "application/json",
        }


def _answer_of(status: int, raw: bytes) -> Answer | None:
    """Return what the server said; raise what its refusal means to a daemon."""
    if status == HTTPStatus.NO_CONTENT:
        return None
    answer = _decoded(raw)
    if 200 <= status < 300:
        if answer is None:
            raise TransportUnavailable(f"the server's answer ({status}) makes no sense")
        return answer
    words = _refusal(status, answer or {})
    if status >= 500 or status in PASSING:
        raise TransportUnavailable(words)
    if status == HTTPStatus.UNAUTHORIZED:
        raise KeyRefused(words)
    if status == HTTPStatus.CONFLICT and (answer or {}).get("detail") == "lease_lost":
        raise LeaseLost
    raise (NotKnown if status == HTTPStatus.NOT_FOUND else RequestRefused)(words)


def _refusal(status: int, answer: Answer) -> str:
    problems = [f"{one['field']}: {one['detail']}" for one in answer.get("validations") or []]
    return " ".join([f"the server answered {status}:", str(answer.get("message", "")), *problems])


def _encoded(words: Answer) -> bytes:
    return json.dumps(words, default=_plain).encode()


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _decoded(raw: bytes) -> Answer | None:
    try:
        answer = json.loads(raw)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def _batches(lines: Sequence[LogLine]) -> list[list[LogLine]]:
    """Split lines so that no request becomes too large; in order."""
    batches: list[list[LogLine]] = []
    room = 0
    for line in lines:
        room -= len(line.output) + 1
        if room < 0 or not batches:
            batches.append([])
            room = LOG_BATCH
        batches[-1].append(line)
    return batches


def _job_of(answer: Answer) -> AcquiredJob:
    """Read a job; what the server adds later is not for this daemon. Raises RequestRefused.

    What a server of a release before does not say has a default.
    """
    try:
        known = [field.name for field in fields(AcquiredJob)]
        words = {name: answer[name] for name in known if name in answer}
        for name in ("job_id", "lease", "build_id", "workspace_id", "owner_id"):
            words[name] = UUID(words[name])
        return AcquiredJob(**words)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise RequestRefused(f"the server speaks of jobs in other words: {error!r}") from error
