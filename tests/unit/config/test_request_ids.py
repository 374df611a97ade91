"""Each request has an id: its own if it is fit for a log, else a new one."""

import re

import pytest

from config.request_ids import choose_id, with_request_ids
from workspaces.tracing import bound_fields

NEW = re.compile(r"[0-9a-f]{32}")


async def serve(*headers, kind="http"):
    """Return the answer's headers, and what was bound while it was made."""
    bound, sent = {}, []

    @with_request_ids
    async def application(scope, receive, send):
        bound.update(bound_fields())
        await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
        await send({"type": "http.response.body", "body": b""})

    async def send(message):
        sent.append(message)

    await application({"type": kind, "headers": headers}, None, send)
    return sent[0]["headers"], bound


@pytest.mark.parametrize("given", [b"abc", b"7f3d-1.2_Z", b"x" * 64])
async def test_a_sane_id_is_kept_sent_back_and_bound(given):
    headers, bound = await serve((b"x-request-id", given))

    assert headers == [(b"a", b"b"), (b"x-request-id", given)]
    assert bound == {"request_id": given.decode()}
    assert bound_fields() == {}


@pytest.mark.parametrize(
    "given",
    [b"", b"x" * 65, b"two words", b"line\nbreak", b"abc\n", b"<script>", b'"', b"\xff", b"\x00"],
)
async def test_a_hostile_id_is_replaced(given):
    headers, bound = await serve((b"x-request-id", given))

    assert NEW.fullmatch(bound["request_id"])
    assert headers[-1] == (b"x-request-id", bound["request_id"].encode())


def test_without_one_each_request_gets_another():
    assert len({choose_id([(b"accept", b"*/*")]) for _ in range(10)}) == 10


async def test_what_is_no_request_is_left_alone():
    headers, bound = await serve((b"x-request-id", b"abc"), kind="lifespan")

    assert headers == [(b"a", b"b")]
    assert bound == {}
