"""The daemon's twin beside the database: what it tells apart, and what it lets go of."""

from datetime import UTC, datetime

import pytest
from django.db import InterfaceError, OperationalError

from tests.unit.workspaces.provisioner.conftest import make_job
from workspaces.errors import LeaseLost
from workspaces.provisioner import transport as transport_room
from workspaces.provisioner.transport import ServiceTransport, TransportUnavailable

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def transport():
    return ServiceTransport(access_url="http://x", clock=lambda: NOW)


@pytest.mark.parametrize("error", [OperationalError("gone\naway"), InterfaceError("gone away")])
def test_a_database_that_is_away_is_unavailable(transport, monkeypatch, error):
    def fail(**words):
        raise error

    monkeypatch.setattr(transport_room.jobs, "reap_lost_jobs", fail)

    with pytest.raises(TransportUnavailable, match=r"gone away"):
        transport.reap()


def test_a_lost_lease_stays_a_lost_lease(transport, monkeypatch):
    def fail(**words):
        raise LeaseLost

    monkeypatch.setattr(transport_room.jobs, "heartbeat_job", fail)

    with pytest.raises(LeaseLost):
        transport.heartbeat(make_job())


def test_every_call_about_a_job_carries_its_lease_and_the_time(transport, monkeypatch):
    heard = {}
    monkeypatch.setattr(transport_room.jobs, "fail_job", lambda **words: heard.update(words))
    job = make_job()

    transport.fail(job, error="boom", code="driver_error")

    assert heard == {
        "job_id": job.job_id,
        "lease": job.lease,
        "error": "boom",
        "code": "driver_error",
        "now": NOW,
    }
