"""A server on loopback that speaks the agent's protocol and remembers what it was told."""

import json
import queue
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN_HEADER = "Coder-Session-Token"


class AgentServer:
    """Give it a manifest; read `states` and `lines`; `claim` sends the event."""

    def __init__(self, port=0):
        self.manifest = {
            "agent_id": "a1",
            "agent_name": "main",
            "workspace_id": "w1",
            "workspace_name": "prebuild-x",
            "owner_id": "system",
            "owner_name": "prebuilds",
            "owner_is_system": True,
            "build_id": "b1",
            "startup_script": "",
            "startup_timeout_seconds": 30,
            "parameters": {},
            "environment": {},
        }
        self.states = []
        self.logs = []
        self.tokens = set()
        self.batches = []
        self.heartbeats = self.reinit_requests = self.manifest_requests = 0
        self.reinit_status = 200
        self.status = None
        self.close_streams = False
        self._streams = []
        self._start(port)

    def _start(self, port):
        handler = type("Handler", (_Handler,), {"owner": self})
        self._http = _Http(("127.0.0.1", port), handler)
        self.port = self._http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def lines(self):
        return [entry["output"] for entry in self.logs]

    def events(self, *blocks):
        """Send raw blocks of text to every open stream; None ends the streams."""
        for stream in self._streams:
            for block in blocks:
                stream.put(block)

    def claim(self, user_id, name="alice"):
        self.manifest |= {"owner_id": user_id, "owner_name": name, "owner_is_system": False}
        self.events(claimed_event(user_id))

    def stop(self):
        self.events(None)
        self._http.shutdown()
        self._http.server_close()

    def restart(self):
        """Come back on the same port."""
        self._streams.clear()
        self._start(self.port)


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request, client_address):
        pass  # the agent went away

    def server_bind(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        super().server_bind()


class _Handler(BaseHTTPRequestHandler):
    owner: AgentServer

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.owner.tokens.add(self.headers[TOKEN_HEADER])
        if self.path.endswith("/reinit"):
            self.owner.reinit_requests += 1
            self._stream()
        else:
            self.owner.manifest_requests += 1
            self._answer(200, json.dumps(self.owner.manifest).encode())

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.owner.status is None:
            self._note(body)
        self._answer(204)

    do_PATCH = do_POST  # noqa: N815  the name is the base class's

    def _note(self, body):
        if self.path.endswith("/lifecycle"):
            self.owner.states.append(body["state"])
        elif self.path.endswith("/logs"):
            self.owner.logs += body["logs"]
            self.owner.batches.append((time.monotonic(), len(body["logs"])))
        else:
            self.owner.heartbeats += 1

    def _answer(self, status, body=b""):
        self.send_response(self.owner.status or status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self):
        status = self.owner.status or self.owner.reinit_status
        self.send_response(status)
        self.end_headers()
        if status != 200:
            return
        stream = queue.SimpleQueue()
        self.owner._streams.append(stream)
        self.wfile.write(b"event: ping\n\n")
        while (block := stream.get()) is not None:
            self.wfile.write(block.encode())


def claimed_event(user_id):
    data = {"workspace_id": "w1", "reason": "prebuild_claimed", "user_id": user_id}
    return f"event: data\ndata: {json.dumps(data)}\n\n"


def wait_for(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Return when the condition holds; fail the test when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        threading.Event().wait(0.01)
