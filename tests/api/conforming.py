"""Requests made from the OpenAPI document, and what the answers must keep to.

Ids in paths are mostly those of rows there are, or nothing but 404 would be answered. Each request
is taken back, so none ends the token that the next one needs.
"""

from collections.abc import Iterator
from typing import Any, Final

import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import (
    CacheConfig,
    GenerationConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.requests_of_matrix import known_ids
from tests.api.world import World

DOCUMENT: Final = "/api/schema?format=json"
CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
STREAMS: Final = {"/api/v2/workspaceagents/me/reinit"}
"""Answered for days, by an application of its own: test_reinit looks at it."""
IDS_IN_BODIES: Final = {
    "daemon_id": "daemon",
    "lease": "lease",
    "template_id": "template",
    "template_version_id": "version",
    "template_version_preset_id": "preset",
    "id": "version",
}


def load_operations() -> dict[str, Any]:
    """Return the operations of the document by method and path."""
    generation = GenerationConfig(with_security_parameters=False)
    project = ProjectConfig(generation=generation)
    config = SchemathesisConfig(
        projects=ProjectsConfig(default=project), cache=CacheConfig(enabled=False)
    )
    schema = schemathesis.openapi.from_wsgi(DOCUMENT, WSGIHandler(), config=config)
    found = (each.ok() for each in schema.get_all_operations())
    return {each.label: each for each in found if each.path not in STREAMS}


def keeps_its_word(world: World, operation: Any, *, examples: int) -> None:
    """Send well-formed and malformed requests; raise when an answer is not as documented."""
    cases = st.one_of(
        operation.as_strategy(generation_mode=mode) for mode in _possible_modes(operation)
    )

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, known=st.sampled_from([True, True, True, False]))
    def answers(case: Any, known: bool) -> None:
        if known:
            _name_rows_there_are(world, operation, case)
        _do_not_wait(case)
        response = _send(world, operation, case)
        case.validate_response(response, checks=CHECKS)

    answers()


def _possible_modes(operation: Any) -> Iterator[GenerationMode]:
    yield GenerationMode.POSITIVE
    if operation.body or operation.query:
        yield GenerationMode.NEGATIVE


def _name_rows_there_are(world: World, operation: Any, case: Any) -> None:
    case.path_parameters = known_ids(world, operation.path) or None
    if case.headers and "If-Match" in case.headers:
        case.headers["If-Match"] = "*"
    for name in IDS_IN_BODIES.keys() & (case.body if isinstance(case.body, dict) else ()):
        case.body[name] = str(world.fill[IDS_IN_BODIES[name]])


def _do_not_wait(case: Any) -> None:
    """Shorten what waits or streams by its nature."""
    if isinstance(case.body, dict) and "wait_seconds" in case.body:
        case.body["wait_seconds"] = 0
    if case.query and "follow" in case.query:
        case.query["follow"] = "false"


def _send(world: World, operation: Any, case: Any) -> Any:
    caller = "owner"
    if operation.path.startswith("/api/v2/workspaceagents/me"):
        caller = "agent"
    elif operation.path.startswith("/api/v2/provisioner/"):
        caller = "key"
    isolated = transaction.atomic()
    isolated._from_testcase = True  # a service may insist on the outermost transaction
    with isolated:
        response = case.call(
            headers={
                "Authorization": f"Bearer {world.secrets[caller]}",
                "Accept-Encoding": "identity",  # in-process answers are not unpacked again
            }
        )
        transaction.set_rollback(True)
    return response
