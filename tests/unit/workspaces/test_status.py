"""One word for a workspace, and for an agent."""

from datetime import timedelta

import pytest

from tests.factories import NOON
from workspaces.enums import AgentStatus, JobStatus, Transition, WorkspaceStatus
from workspaces.status import (
    DISCONNECTED_AFTER,
    agent_status,
    builds_of_status,
    workspace_status,
)

START, STOP, DELETE = Transition.START, Transition.STOP, Transition.DELETE
WORDS = [
    (START, JobStatus.PENDING, "pending"),
    (START, JobStatus.RUNNING, "starting"),
    (START, JobStatus.SUCCEEDED, "running"),
    (STOP, JobStatus.RUNNING, "stopping"),
    (STOP, JobStatus.SUCCEEDED, "stopped"),
    (DELETE, JobStatus.RUNNING, "deleting"),
    (DELETE, JobStatus.SUCCEEDED, "deleted"),
    (STOP, JobStatus.FAILED, "failed"),
    (DELETE, JobStatus.CANCELING, "canceling"),
    (START, JobStatus.CANCELED, "canceled"),
]


@pytest.mark.parametrize(("transition", "job_status", "word"), WORDS)
def test_a_workspace_is_what_its_latest_build_makes_of_it(transition, job_status, word):
    assert workspace_status(transition, job_status) == word


def test_every_build_means_exactly_one_status():
    pairs = [pair for status in WorkspaceStatus for pair in builds_of_status(status)]

    assert sorted(pairs) == sorted((t, s) for t in Transition for s in JobStatus)


def seen(**changes):
    times = {"first_connected_at": NOON, "last_connected_at": NOON, "disconnected_at": None}
    return agent_status(**{**times, "now": NOON, **changes})


def test_an_agent_never_heard_of_is_connecting():
    assert seen(first_connected_at=None, last_connected_at=None) == AgentStatus.CONNECTING


def test_an_agent_heard_of_lately_is_connected():
    assert seen(now=NOON + DISCONNECTED_AFTER) == AgentStatus.CONNECTED


def test_an_agent_not_heard_of_for_long_is_disconnected():
    late = NOON + DISCONNECTED_AFTER + timedelta(microseconds=1)

    assert seen(now=late) == AgentStatus.DISCONNECTED


def test_an_agent_that_said_goodbye_is_disconnected_until_it_is_heard_of_again():
    later = NOON + timedelta(seconds=1)

    assert seen(disconnected_at=NOON) == AgentStatus.DISCONNECTED
    assert seen(disconnected_at=NOON, last_connected_at=later) == AgentStatus.CONNECTED
