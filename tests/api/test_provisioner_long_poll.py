"""POST …/acquire with `wait_seconds`: a job is told when it comes, and never to a closed line."""

import asyncio
import threading
import time
from uuid import uuid4

import pytest
from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.db import connections
from django.test import AsyncClient
from django.utils import timezone

from accounts.audit import THE_SYSTEM
from prebuilds.api import provisioner
from tests.api.listening import stop_hub
from tests.api.shape import assert_error
from tests.factories import make_daemon, make_key, make_organization, make_workspace
from workspaces.listening import hub
from workspaces.models import ProvisionerJob
from workspaces.services import jobs, provisioner_keys

pytestmark = pytest.mark.django_db(transaction=True)

SOON = 10.0
in_database = sync_to_async


@pytest.fixture(autouse=True)
async def _clean_up():
    """Close what the views opened: the hub's connection, and their thread's."""
    yield
    await asyncio.to_thread(_stop)
    await sync_to_async(connections.close_all)()


def _stop():
    stop_hub()
    connections.close_all()


class Remote:
    """A daemon with a key that asks for jobs."""

    def __init__(self, **key):
        self.key, self.secret = make_key(**key)
        self.daemon = make_daemon(key=self.key)

    def ask(self, *, wait, lease=None):
        """Return the task that waits for the answer."""
        return asyncio.ensure_future(self._ask(wait, lease or uuid4()))

    async def _ask(self, wait, lease):
        # As the server does: each request has a thread, and so a connection, of its own.
        async with ThreadSensitiveContext():
            try:
                return await AsyncClient().post(
                    f"/api/v2/provisioner/daemons/{self.daemon.pk}/acquire",
                    {"lease": str(lease), "wait_seconds": wait},
                    content_type="application/json",
                    headers={"Authorization": f"Bearer {self.secret}"},
                )
            finally:
                await sync_to_async(connections.close_all)()


make_remote = in_database(Remote)


async def until_it_waits(count=1):
    """Wait until so many requests listen for jobs, and have looked once."""
    deadline = time.monotonic() + SOON
    while len(hub()._subscribers["provisioner_jobs"]) != count or not hub()._listening.is_set():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)


async def test_a_job_is_told_the_moment_it_comes():
    remote = await make_remote()
    answer = remote.ask(wait=25)
    await until_it_waits()

    workspace = await in_database(make_workspace)()
    started = time.monotonic()
    told = await asyncio.wait_for(answer, SOON)

    assert time.monotonic() - started < 0.5
    assert told.status_code == 200
    assert told.json()["workspace_id"] == str(workspace.pk)


async def test_without_a_job_it_answers_when_the_time_is_over():
    remote = await make_remote()
    started = time.monotonic()

    told = await asyncio.wait_for(remote.ask(wait=0.5), SOON)

    assert told.status_code == 204
    assert time.monotonic() - started >= 0.5


async def test_a_job_that_is_there_already_is_not_waited_for():
    remote = await make_remote()
    await in_database(make_workspace)()

    told = await asyncio.wait_for(remote.ask(wait=25), SOON)

    assert told.status_code == 200


async def test_a_bell_for_a_job_that_is_not_for_it_lets_it_wait_on():
    remote = await make_remote(organization=await in_database(make_organization)())
    answer = remote.ask(wait=1.5)
    await until_it_waits()

    await in_database(make_workspace)()

    assert (await asyncio.wait_for(answer, SOON)).status_code == 204


async def test_who_waits_while_the_process_ends_is_told_that_there_is_none(monkeypatch):
    monkeypatch.setattr(hub(), "is_closed", False)  # and so again afterwards
    remote = await make_remote()
    waiting = remote.ask(wait=28)
    await until_it_waits()

    hub().close()
    answer = await asyncio.wait_for(waiting, SOON)

    assert answer.status_code == 204


async def test_two_that_wait_get_a_job_each():
    first, second = await make_remote(), await make_remote()
    answers = [first.ask(wait=25), second.ask(wait=25)]
    await until_it_waits(2)

    await in_database(make_workspace)()
    await in_database(make_workspace)()

    told = [await asyncio.wait_for(answer, SOON) for answer in answers]
    assert len({each.json()["job_id"] for each in told}) == 2


async def test_the_same_lease_on_two_lines_is_the_same_job():
    """A client that lost its first line asks again while the server still waits on it."""
    remote, lease = await make_remote(), uuid4()
    answers = [remote.ask(wait=25, lease=lease), remote.ask(wait=25, lease=lease)]
    await until_it_waits(2)

    await in_database(make_workspace)()
    await in_database(make_workspace)()

    told = [await asyncio.wait_for(answer, SOON) for answer in answers]
    assert len({each.json()["job_id"] for each in told}) == 1
    assert await ProvisionerJob.objects.filter(started_at__isnull=False).acount() == 1


async def test_a_key_revoked_meanwhile_gets_no_job():
    remote = await make_remote()
    answer = remote.ask(wait=25)
    await until_it_waits()

    await in_database(provisioner_keys.revoke_key)(
        key=remote.key, actor=THE_SYSTEM, now=timezone.now()
    )
    await in_database(make_workspace)()

    assert_error(await asyncio.wait_for(answer, SOON), 401)


async def test_who_hangs_up_while_waiting_is_forgotten_and_gets_nothing():
    remote = await make_remote()
    answer = remote.ask(wait=25)
    await until_it_waits()

    answer.cancel()  # as the server does with a request whose client is gone
    await asyncio.wait([answer], timeout=SOON)
    await in_database(make_workspace)()

    assert not hub()._subscribers["provisioner_jobs"]
    assert (await ProvisionerJob.objects.aget()).started_at is None


async def test_a_job_leased_to_a_line_that_is_just_closed_is_given_back(monkeypatch):
    leased, go_on = threading.Event(), threading.Event()

    def slow(**words):
        job = acquire_job(**words)
        leased.set()
        assert go_on.wait(SOON)
        return job

    acquire_job = jobs.acquire_job
    monkeypatch.setattr(provisioner.jobs, "acquire_job", slow)
    remote = await make_remote()
    await in_database(make_workspace)()
    answer = remote.ask(wait=25)
    assert await asyncio.to_thread(leased.wait, SOON)

    answer.cancel()
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.wait([answer], timeout=SOON)

    job = await ProvisionerJob.objects.aget()
    assert (job.status, job.lease) == ("pending", None)
