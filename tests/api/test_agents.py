"""What agents call: status, shape, and nobody else (semantics.md 15)."""

import pytest
from django.test import Client

from tests.api.conftest import bearer, session_of, token_of
from tests.api.shape import assert_error
from tests.factories import (
    finish_all_jobs,
    make_ready_prebuilds,
    make_template,
    make_user,
    make_workspace,
    preset_of,
)
from workspaces.models import Agent, AgentLog, Workspace

pytestmark = pytest.mark.django_db

ME = "/api/v2/workspaceagents/me"
AT = "2026-03-04T12:00:00Z"


def make_agent() -> tuple[Agent, Client]:
    """Make a workspace whose agent has not yet called; return the agent and its client."""
    workspace = make_workspace()
    finish_all_jobs()
    return Agent.objects.get(), bearer(f"token-of-{workspace.pk}")


def json(client, method, path, body):
    return getattr(client, method)(f"{ME}{path}", body, content_type="application/json")


LINE = {"created_at": AT, "level": "info", "stage": "startup", "output": "hello"}
CALLS = [
    ("get", "", None),
    ("post", "/lifecycle", {"state": "starting", "changed_at": AT}),
    ("patch", "/logs", {"logs": [LINE]}),
    ("post", "/heartbeat", {}),
]


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
@pytest.mark.parametrize("caller", ["nobody", "wrong token", "other scheme", "person", "session"])
def test_who_is_no_agent_gets_401(method, path, body, caller):
    make_agent()
    client = {
        "nobody": Client,
        "wrong token": lambda: bearer("wrong"),
        "other scheme": lambda: Client(headers={"Authorization": "Basic wrong"}),
        "person": lambda: token_of(make_user(roles=["owner"])),
        "session": lambda: session_of(make_user(roles=["owner"])),
    }[caller]()

    response = json(client, method, path, body)

    assert_error(response, 401)
    assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_the_agent_of_a_deleted_workspace_gets_401(method, path, body):
    _, client = make_agent()
    Workspace.objects.update(deleted_at=AT)

    assert_error(json(client, method, path, body), 401)


@pytest.mark.parametrize(("method", "path", "body"), CALLS[1:])
def test_what_is_only_reported_is_answered_with_nothing(method, path, body):
    _, client = make_agent()

    response = json(client, method, path, body)

    assert response.status_code == 204
    assert response.content == b""


def test_the_manifest_registers_the_agent_as_connected():
    agent, client = make_agent()

    response = client.get(ME)

    assert response.status_code == 200
    assert set(response.json()) == {
        "agent_id",
        "agent_name",
        "workspace_id",
        "workspace_name",
        "template_name",
        "owner_id",
        "owner_name",
        "owner_is_system",
        "build_id",
        "startup_script",
        "startup_timeout_seconds",
        "parameters",
        "environment",
    }
    agent.refresh_from_db()
    assert agent.first_connected_at == agent.last_connected_at is not None


def test_coders_own_header_works_too():
    make_agent()
    token = f"token-of-{Workspace.objects.get().pk}"

    response = Client(headers={"Coder-Session-Token": token}).get(ME)

    assert response.status_code == 200


def test_lifecycle_is_stored():
    agent, client = make_agent()

    for state in ("starting", "ready"):
        json(client, "post", "/lifecycle", {"state": state, "changed_at": AT})

    agent.refresh_from_db()
    assert agent.lifecycle_state == "ready"
    assert agent.ready_at is not None


def test_logs_are_stored_as_they_came():
    _, client = make_agent()
    lines = [LINE, {"created_at": AT, "output": "  indented\t"}, {**LINE, "output": ""}]

    response = json(client, "patch", "/logs", {"logs": lines})

    assert response.status_code == 204
    assert list(AgentLog.objects.values_list("level", "stage", "output")) == [
        ("info", "startup", "hello"),
        ("info", "startup", "  indented\t"),
        ("info", "startup", ""),
    ]


def test_a_heartbeat_moves_the_last_connection():
    agent, client = make_agent()

    json(client, "post", "/heartbeat", {})

    agent.refresh_from_db()
    assert agent.last_connected_at is not None


BAD = [
    ("post", "/lifecycle", {"changed_at": AT}, ["state"]),
    ("post", "/lifecycle", {"state": "daydreaming", "changed_at": AT}, ["state"]),
    ("post", "/lifecycle", {"state": "ready", "changed_at": "noon"}, ["changed_at"]),
    ("post", "/lifecycle", {}, ["state", "changed_at"]),
    ("post", "/lifecycle", [], ["non_field_errors"]),
    ("patch", "/logs", {}, ["logs"]),
    ("patch", "/logs", {"logs": "hello"}, ["logs"]),
    ("patch", "/logs", {"logs": [LINE, {"output": "x"}]}, ["logs.1.created_at"]),
    ("patch", "/logs", {"logs": [{**LINE, "level": "catastrophic"}]}, ["logs.0.level"]),
]


@pytest.mark.parametrize(("method", "path", "body", "fields"), BAD)
def test_bad_input_is_400_with_the_field_named_and_nothing_stored(method, path, body, fields):
    agent, client = make_agent()

    response = json(client, method, path, body)

    assert_error(response, 400, fields=fields)
    agent.refresh_from_db()
    assert agent.lifecycle_state == "created"
    assert not AgentLog.objects.exists()


def test_what_is_no_json_is_400():
    _, client = make_agent()

    response = client.post(f"{ME}/lifecycle", "{", content_type="application/json")

    assert_error(response, 400)


def test_another_method_is_405_in_the_same_shape():
    _, client = make_agent()

    assert_error(client.delete(ME), 405)


def test_an_agent_is_no_person():
    _, client = make_agent()

    assert_error(client.get("/api/v2/workspaces"), 401)


def test_an_unclaimed_agent_reports_too():
    (prebuild,) = make_ready_prebuilds(preset_of(make_template()), 1)

    response = bearer(f"token-of-{prebuild.pk}").get(ME)

    assert response.json()["owner_is_system"] is True


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_a_call_costs_a_few_statements(method, path, body, django_assert_max_num_queries):
    _, client = make_agent()

    with django_assert_max_num_queries(6):
        json(client, method, path, body)
