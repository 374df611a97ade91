"""How the agent talks to the server: one small JSON request at a time, and patience.

No request is ever final: callers retry with `Delay`. Only a token that is refused for minutes on
end means that the workspace is gone.
"""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

REVOKED_AFTER = 180.0
"""Seconds of nothing but 401 after which the workspace counts as deleted."""
TIMEOUT = 15.0
API = "/api/v2/workspaceagents/me"


class Unreachable(Exception):
    """The server did not answer, or not in words we know; worth another try."""


class Refused(Exception):
    """The server answered with an error status."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"the server answered {status}")

    @property
    def is_final(self) -> bool:
        """True when the same request can never succeed, so that repeating it is useless."""
        return 300 <= self.status < 500 and self.status not in (401, 408, 425, 429)


class Delay:
    """Exponential waiting with jitter; `reset` after a success."""

    def __init__(self, first: float = 0.1, most: float = 10.0) -> None:
        self._first, self._most = first, most
        self._next = first

    def next(self) -> float:
        seconds, self._next = self._next, min(self._next * 2, self._most)
        return seconds * random.uniform(0.75, 1.0)

    def reset(self) -> None:
        self._next = self._first


@dataclass(frozen=True)
class Manifest:
    """What the server says this workspace is, at this instant."""

    workspace_id: str
    workspace_name: str
    owner_id: str
    owner_name: str
    startup_script: str
    startup_timeout_seconds: float
    parameters: dict[str, str]
    environment: dict[str, str]

    @classmethod
    def parse(cls, values: dict[str, Any]) -> Manifest:
        return cls(
            workspace_id=str(values["workspace_id"]),
            workspace_name=str(values["workspace_name"]),
            owner_id=str(values["owner_id"]),
            owner_name=str(values["owner_name"]),
            startup_script=str(values.get("startup_script") or ""),
            startup_timeout_seconds=float(values.get("startup_timeout_seconds") or 0),
            parameters={str(k): str(v) for k, v in (values.get("parameters") or {}).items()},
            environment={str(k): str(v) for k, v in (values.get("environment") or {}).items()},
        )


class Client:
    """The server as this agent sees it. Safe to use from several threads."""

    def __init__(
        self, access_url: str, token: str, *, on_revoked: Callable[[], None] = lambda: None
    ) -> None:
        self._parts = urlsplit(access_url)
        self._token = token
        self._on_revoked = on_revoked
        self._refused_since: float | None = None
        self._lock = threading.Lock()

    def fetch_manifest(self) -> Manifest:
        """Fetch the manifest, which also registers the agent as connected."""
        try:
            return Manifest.parse(json.loads(self.send("GET", "")))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Unreachable(f"the manifest makes no sense: {error!r}") from error

    def send(self, method: str, path: str, body: Any = None, *, timeout: float = TIMEOUT) -> bytes:
        """Send one request and return the answer's body. Raises Unreachable or Refused."""
        connection = self._connect(timeout)
        try:
            return self._request(connection, method, path, body).read()
        except (OSError, http.client.HTTPException) as error:
            self._note(0)
            raise Unreachable(str(error) or type(error).__name__) from error
        finally:
            connection.close()

    def open_stream(self, path: str, *, silence: float) -> tuple[Any, http.client.HTTPResponse]:
        """Open an event stream; a silence longer than that many seconds is an OSError."""
        connection = self._connect(silence)
        try:
            return connection, self._request(connection, "GET", path, None)
        except (OSError, http.client.HTTPException) as error:
            self._note(0)
            connection.close()
            raise Unreachable(str(error) or type(error).__name__) from error
        except Refused:
            connection.close()
            raise

    def _connect(self, timeout: float) -> http.client.HTTPConnection:
        secure = self._parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        return kind(self._parts.hostname or "", self._parts.port, timeout=timeout)

    def _request(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: Any
    ) -> http.client.HTTPResponse:
        headers = {"Coder-Session-Token": self._token, "Accept": "*/*"}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        connection.request(method, self._parts.path.rstrip("/") + API + path, data, headers)
        response = connection.getresponse()
        self._note(response.status)
        if response.status >= 300:
            raise Refused(response.status)
        return response

    def _note(self, status: int) -> None:
        """Keep count of how long the token has been refused."""
        with self._lock:
            if status != 401:
                self._refused_since = None
                return
            now = time.monotonic()
            if self._refused_since is None:
                self._refused_since = now
            gone = now - self._refused_since >= REVOKED_AFTER
        if gone:
            self._on_revoked()
