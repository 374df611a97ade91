"""The API keeps to its own document, whatever it is sent."""

import logging
from collections.abc import Iterator

import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.http import HttpResponse, HttpResponseBase
from hypothesis import settings
from rest_framework.response import Response
from schemathesis.core.failures import FailureGroup

from prebuilds.api.prebuilds_settings import SettingsView
from tests.api.conforming import keeps_its_word, load_operations
from tests.api.listening import stop_hub
from tests.api.world import World, build_world

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "snapshot"]),
    pytest.mark.timeout(3_600),
    pytest.mark.slow,
]

EXAMPLES = 15
PARTS = {
    "people": ("users", "organizations", "groups", "audit"),
    "workspaces": ("workspaces", "workspacebuilds", "workspaceagents", "provisionerjobs"),
    "pools": ("templates", "templateversions", "presets", "prebuilds"),
    "machines": ("provisioner", "healthz", "readyz"),
}
"""Which resources one test looks at, by the first step of their path."""


@pytest.fixture
def world(caplog: pytest.LogCaptureFixture) -> Iterator[World]:
    caplog.set_level(logging.CRITICAL, "django.request")  # refusals are most of what there is
    yield build_world()
    stop_hub()


@pytest.fixture(autouse=True)
def _one_connection() -> Iterator[None]:
    """Keep the connection over requests, as Django's own client does: each is taken back."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def examples(request: pytest.FixtureRequest) -> int:
    """A few, always the same; many with `--hypothesis-profile=long`."""
    is_long = request.config.getoption("--hypothesis-profile") == "long"
    return settings.get_profile("long").max_examples // 10 if is_long else EXAMPLES


def part_of(path: str) -> str:
    first = path.removeprefix("/api/v2").split("/")[1]
    return next(part for part, resources in PARTS.items() if first in resources)


@pytest.mark.parametrize("part", PARTS)
def test_the_api_keeps_to_its_document(world: World, part: str, examples: int) -> None:
    broken = []

    for label, operation in load_operations().items():
        if part_of(operation.path) == part:
            try:
                keeps_its_word(world, operation, examples=examples)
            except FailureGroup as error:
                broken.append(f"{label}\n{error}")

    assert not broken, "\n\n".join(broken)


@pytest.mark.parametrize(
    "answer",
    [
        Response({"reconciliation_paused": "perhaps"}),
        Response({}, status=418),
        HttpResponse("fine", content_type="text/plain"),
        HttpResponse(status=500),
    ],
    ids=["shape", "status", "type", "error"],
)
def test_a_broken_promise_is_noticed(
    world: World, monkeypatch: pytest.MonkeyPatch, answer: HttpResponseBase
) -> None:
    operation = load_operations()["GET /api/v2/prebuilds/settings"]
    monkeypatch.setattr(SettingsView, "get", lambda *_: answer)

    with pytest.raises(FailureGroup):
        keeps_its_word(world, operation, examples=1)
