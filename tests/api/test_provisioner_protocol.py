"""What remote daemons call: who may, what a key bounds, and what a lost lease is worth."""

from dataclasses import dataclass, fields
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.core import serializers
from django.test import Client
from django.utils import timezone

from accounts.audit import THE_SYSTEM
from tests.api.conftest import bearer, session_of, token_of
from tests.api.listening import stop_hub
from tests.api.shape import assert_error
from tests.factories import (
    acquire,
    ask_for,
    default_organization,
    make_daemon,
    make_key,
    make_organization,
    make_template,
    make_user,
    make_workspace,
    result_for,
)
from workspaces.enums import Transition
from workspaces.models import (
    Agent,
    JobLog,
    ProvisionerDaemon,
    ProvisionerJob,
    ProvisionerKey,
    Workspace,
    WorkspaceBuild,
    WorkspaceResource,
)
from workspaces.protocol import AcquiredJob
from workspaces.services import jobs, provisioner_keys

pytestmark = pytest.mark.django_db

API = "/api/v2/provisioner"
AT = "2026-03-04T12:00:00Z"
PROFILE = {
    "name": "remote-1",
    "hostname": "far-away",
    "version": "0.1.0",
    "provisioner_types": ["local"],
    "tags": {},
    "concurrency": 2,
}
LINE = {"at": AT, "level": "info", "stage": "build", "output": "hello"}
RESOURCE = {
    "name": "workspace",
    "type": "local_process",
    "agents": [{"name": "main", "token": "a-token-of-some-length"}],
}
VERBS = {
    "heartbeat": {},
    "logs": {"lines": [LINE]},
    "resources": {"resources": [RESOURCE]},
    "complete": {
        "provisioner_state": {"directory": "/there"},
        "resources": [RESOURCE],
        "replacements": [{"resource": "disk", "paths": ["size"]}],
    },
    "fail": {"error": "no", "code": "driver_error"},
    "finish-canceled": {},
    "release": {},
}
DAEMON_VERBS = {
    "touch": {},
    "reap": {},
    "goodbye": {},
    "acquire": {"lease": str(uuid4())},
}


@pytest.fixture(autouse=True)
def _silence():
    """An acquire listens at the database; no test leaves that connection behind."""
    yield
    stop_hub()


@dataclass(kw_only=True)
class Remote:
    """A daemon with a key, as the server sees it."""

    key: ProvisionerKey
    client: Client
    daemon: ProvisionerDaemon

    def post(self, path, body):
        return self.client.post(f"{API}{path}", body, content_type="application/json")

    def say(self, job, verb, *, lease=None, **words):
        """Say something about a job, by its own lease or another."""
        body = {"daemon_id": str(self.daemon.pk), "lease": str(lease or job.lease), **words}
        return self.post(f"/jobs/{job.job_id}/{verb}", body)

    def ask(self, verb, **words):
        """Say something about the daemon itself."""
        return self.post(f"/daemons/{self.daemon.pk}/{verb}", words)


def make_remote(key_and_secret=None, machine="", **key_fields):
    key, secret = key_and_secret or make_key(**key_fields)
    return Remote(key=key, client=bearer(secret), daemon=make_daemon(key=key, machine=machine))


@pytest.fixture
def remote():
    return make_remote()


@pytest.fixture
def job(remote):
    make_workspace()
    return acquire(daemon=remote.daemon)


def everything():
    """Return every row a verb could touch, as text."""
    models = (ProvisionerJob, WorkspaceBuild, Workspace, JobLog, WorkspaceResource, Agent)
    return serializers.serialize("json", [r for m in models for r in m.objects.order_by("pk")])


class TestWhoMayCall:
    CALLERS = {
        "nobody": lambda key: Client(),
        "wrong key": lambda key: bearer("wrong"),
        "person": lambda key: token_of(make_user(roles=["owner"])),
        "session": lambda key: session_of(make_user(roles=["owner"])),
        "revoked key": lambda remote: revoked(remote),  # noqa: PLW0108  defined below
    }

    @pytest.mark.parametrize("caller", CALLERS)
    @pytest.mark.parametrize("verb", VERBS)
    def test_without_a_live_key_no_word_about_a_job_is_heard(self, remote, job, verb, caller):
        remote.client = self.CALLERS[caller](remote)
        before = everything()

        response = remote.say(job, verb, **VERBS[verb])

        assert_error(response, 401)
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert everything() == before

    @pytest.mark.parametrize("caller", CALLERS)
    @pytest.mark.parametrize("verb", DAEMON_VERBS)
    def test_without_a_live_key_no_word_of_a_daemon_is_heard(self, remote, verb, caller):
        make_workspace()
        remote.client = self.CALLERS[caller](remote)

        assert_error(remote.ask(verb, **DAEMON_VERBS[verb]), 401)
        assert ProvisionerJob.objects.get().started_at is None

    @pytest.mark.parametrize("caller", CALLERS)
    def test_without_a_live_key_nobody_introduces_itself(self, remote, caller):
        remote.client = self.CALLERS[caller](remote)

        assert_error(remote.post("/daemons", PROFILE), 401)
        assert ProvisionerDaemon.objects.get() == remote.daemon

    @pytest.mark.parametrize("header", ["Authorization", "Coder-Provisioner-Daemon-Key"])
    def test_a_key_is_sent_as_bearer_or_in_coders_header(self, header):
        _, secret = make_key()
        value = f"Bearer {secret}" if header == "Authorization" else secret
        client = Client(headers={header: value})

        answer = client.post(f"{API}/daemons", PROFILE, content_type="application/json")

        assert answer.status_code == 201

    def test_a_key_opens_nothing_else(self, remote):
        assert remote.client.get("/api/v2/workspaces").status_code == 401


def revoked(remote):
    provisioner_keys.revoke_key(key=remote.key, actor=THE_SYSTEM, now=timezone.now())
    return remote.client


class TestIntroduction:
    def test_a_daemon_belongs_to_its_keys_organization_and_has_its_tags(self):
        organization = make_organization()
        remote = make_remote(organization=organization, tags={"zone": "eu", "gpu": "1"})

        answer = remote.post("/daemons", PROFILE)

        assert answer.status_code == 201
        daemon = ProvisionerDaemon.objects.get(pk=answer.json()["id"])
        assert (daemon.key, daemon.organization) == (remote.key, organization)
        assert daemon.tags == answer.json()["tags"] == {"zone": "eu", "gpu": "1"}
        assert (daemon.name, daemon.hostname, daemon.concurrency) == ("remote-1", "far-away", 2)

    def test_it_says_on_which_machine_it_keeps_workspaces(self, remote):
        answer = remote.post("/daemons", PROFILE | {"machine": "rack-7.example_1"})

        daemon = ProvisionerDaemon.objects.get(pk=answer.json()["id"])
        assert daemon.machine == "rack-7.example_1"

    def test_one_of_an_older_release_says_nothing_of_a_machine(self, remote):
        assert "machine" not in PROFILE

        answer = remote.post("/daemons", PROFILE)

        assert answer.status_code == 201
        assert ProvisionerDaemon.objects.get(pk=answer.json()["id"]).machine == ""

    @pytest.mark.parametrize(
        "machine", ["x" * 65, "two words", "-a", ".a", "a/b", "a\nb", "\x00", "é", [], None]
    )
    def test_what_is_no_machine_is_refused_at_its_field(self, remote, machine):
        answer = remote.post("/daemons", PROFILE | {"machine": machine})

        assert answer.status_code == 400
        assert {one["field"] for one in answer.json()["validations"]} == {"machine"}

    def test_it_may_take_fewer_tags_than_the_key_has(self):
        remote = make_remote(tags={"zone": "eu", "gpu": "1"})

        answer = remote.post("/daemons", PROFILE | {"tags": {"zone": "eu"}})

        assert answer.json()["tags"] == {"zone": "eu"}

    @pytest.mark.parametrize("tags", [{"zone": "us"}, {"gpu": "1"}])
    def test_it_may_not_take_others(self, tags):
        remote = make_remote(tags={"zone": "eu"})

        answer = remote.post("/daemons", PROFILE | {"tags": tags})

        assert_error(answer, 400, message="zone=eu")
        assert ProvisionerDaemon.objects.get() == remote.daemon

    def test_it_says_that_it_lives_and_that_it_ends(self, remote):
        ProvisionerDaemon.objects.update(last_seen_at=AT)

        assert remote.ask("touch").status_code == 204
        remote.daemon.refresh_from_db()
        assert timezone.now() - remote.daemon.last_seen_at < timedelta(minutes=1)
        assert remote.daemon.stopped_at is None

        assert remote.ask("goodbye").status_code == 204
        remote.daemon.refresh_from_db()
        assert remote.daemon.stopped_at is not None


class TestAcquire:
    def test_a_job_comes_with_everything_a_build_needs(self, remote, settings):
        workspace = make_workspace()
        lease = uuid4()

        answer = remote.ask("acquire", lease=str(lease))

        assert answer.status_code == 200
        told = answer.json()
        assert set(told) == {field.name for field in fields(AcquiredJob)}
        assert told["lease"] == str(lease)
        assert told["workspace_id"] == str(workspace.pk)
        assert told["access_url"] == settings.PREBUILDS_ACCESS_URL
        row = ProvisionerJob.objects.get()
        assert (row.lease, row.daemon) == (lease, remote.daemon)

    def test_a_job_bound_to_another_machine_is_never_told(self):
        here, there = make_remote(machine="here"), make_remote(machine="there")
        workspace = make_workspace()
        first = acquire(daemon=here.daemon)
        here.say(first, "complete", provisioner_state={})
        ask_for(workspace, Transition.STOP)

        assert there.ask("acquire", lease=str(uuid4())).status_code == 204
        assert here.ask("acquire", lease=str(uuid4())).status_code == 200

    def test_without_a_job_it_says_so_at_once_unless_it_may_wait(self, remote):
        answer = remote.ask("acquire", lease=str(uuid4()))

        assert answer.status_code == 204
        assert answer.content == b""

    def test_asked_again_with_the_same_lease_it_tells_the_same_job_and_no_other(self, remote):
        make_workspace(), make_workspace()
        lease = str(uuid4())
        first = remote.ask("acquire", lease=lease).json()

        again = remote.ask("acquire", lease=lease).json()

        assert again == first
        assert ProvisionerJob.objects.filter(started_at__isnull=False).count() == 1

    def test_asking_again_keeps_the_job_alive(self, remote, job):
        ProvisionerJob.objects.update(heartbeat_at=AT)

        remote.ask("acquire", lease=str(job.lease))

        assert timezone.now() - ProvisionerJob.objects.get().heartbeat_at < timedelta(minutes=1)

    def test_with_another_lease_the_next_job_is_told(self, remote):
        make_workspace(), make_workspace()

        told = [remote.ask("acquire", lease=str(uuid4())).json()["job_id"] for _ in range(2)]

        assert len(set(told)) == 2

    def test_another_daemons_lease_is_worth_nothing(self, remote, job):
        other = make_remote()

        assert other.ask("acquire", lease=str(job.lease)).status_code == 204

    def test_after_the_job_has_ended_its_lease_brings_another(self, remote, job):
        remote.say(job, "complete", provisioner_state={})
        make_workspace()

        told = remote.ask("acquire", lease=str(job.lease)).json()

        assert told["job_id"] != str(job.job_id)

    def test_another_organizations_job_is_never_told(self):
        remote = make_remote(organization=make_organization())
        make_workspace()

        assert remote.ask("acquire", lease=str(uuid4())).status_code == 204

    @pytest.mark.parametrize(
        ("keys", "wanted", "status"),
        [
            ({}, {}, 200),
            ({"zone": "eu"}, {}, 200),
            ({"zone": "eu"}, {"zone": "eu"}, 200),
            ({}, {"zone": "eu"}, 204),
            ({"zone": "us"}, {"zone": "eu"}, 204),
        ],
    )
    def test_a_keys_tags_bound_what_its_daemons_get(self, keys, wanted, status):
        make_workspace(template=make_template(tags=wanted))
        key, secret = make_key(tags=keys)
        daemon_id = (
            bearer(secret)
            .post(f"{API}/daemons", PROFILE, content_type="application/json")
            .json()["id"]
        )
        remote = Remote(
            key=key, client=bearer(secret), daemon=ProvisionerDaemon.objects.get(pk=daemon_id)
        )

        assert remote.ask("acquire", lease=str(uuid4())).status_code == status

    def test_a_farewell_gives_back_the_job_whose_answer_was_never_heard(self, remote):
        make_workspace(), make_workspace()
        heard, unheard = acquire(daemon=remote.daemon), acquire(daemon=remote.daemon)

        assert remote.ask("goodbye", lease=str(unheard.lease)).status_code == 204

        status = dict(ProvisionerJob.objects.values_list("pk", "status"))
        assert status == {heard.job_id: "running", unheard.job_id: "pending"}

    @pytest.mark.parametrize("lease", [UUID(int=1), None])
    def test_a_farewell_gives_back_nothing_of_others(self, remote, job, lease):
        other = make_remote()

        answer = other.ask("goodbye", lease=str(lease or job.lease))

        assert answer.status_code == 204
        assert ProvisionerJob.objects.get().status == "running"


class TestWordsAboutAJob:
    ENDS = {"complete": "succeeded", "fail": "failed", "finish-canceled": "canceled"}

    @pytest.mark.parametrize("verb", VERBS)
    def test_with_its_lease_every_verb_works(self, remote, job, verb):
        answer = remote.say(job, verb, **VERBS[verb])

        assert answer.status_code == (200 if verb == "heartbeat" else 204), answer.content
        expected = self.ENDS.get(verb, "pending" if verb == "release" else "running")
        assert ProvisionerJob.objects.get().status == expected

    def test_a_heartbeat_tells_whether_somebody_asked_to_cancel(self, remote, job):
        assert remote.say(job, "heartbeat").json() == {"cancel": False}

        jobs.cancel_job(job_id=job.job_id, now=timezone.now())

        assert remote.say(job, "heartbeat").json() == {"cancel": True}

    def test_lines_arrive_as_they_were_written(self, remote, job):
        remote.say(job, "logs", lines=[LINE, LINE | {"output": "  two  ", "level": "error"}, LINE])

        rows = JobLog.objects.values_list("output", "level", "stage")
        assert list(rows) == [
            ("hello", "info", "build"),
            ("  two  ", "error", "build"),
            ("hello", "info", "build"),
        ]

    def test_what_a_build_leaves_behind_is_stored(self, remote, job):
        remote.say(job, "complete", **VERBS["complete"])

        build = WorkspaceBuild.objects.get()
        assert build.provisioner_state == {"directory": "/there"}
        assert build.replacements == [{"resource": "disk", "paths": ["size"]}]
        assert Agent.objects.get().name == "main"

    def test_a_failure_is_told_in_the_daemons_words(self, remote, job):
        remote.say(job, "fail", error="exit code 3", code="script_failed")

        row = ProvisionerJob.objects.get()
        assert (row.error, row.error_code) == ("exit code 3", "script_failed")

    @pytest.mark.parametrize("verb", VERBS)
    def test_the_end_told_twice_is_a_lost_lease_and_changes_nothing(self, remote, job, verb):
        remote.say(job, "complete", **VERBS["complete"])
        before = everything()

        answer = remote.say(job, verb, **VERBS[verb])

        assert_lease_lost(answer)
        assert everything() == before


def given_to_another(remote, job):
    """Give the job back and let another daemon of the key have it: the old lease is stale."""
    jobs.release_job(job_id=job.job_id, lease=job.lease, now=timezone.now())
    other = make_daemon(key=remote.key)
    assert acquire(daemon=other).job_id == job.job_id
    return job.lease


def given_again_to_the_same(remote, job):
    jobs.release_job(job_id=job.job_id, lease=job.lease, now=timezone.now())
    assert acquire(daemon=remote.daemon).job_id == job.job_id
    return job.lease


def given_back(remote, job):
    jobs.release_job(job_id=job.job_id, lease=job.lease, now=timezone.now())
    return job.lease


def reaped(remote, job):
    late = timezone.now() + timedelta(seconds=31)
    assert jobs.reap_lost_jobs(now=late) == [job.job_id]
    return job.lease


def never_held(remote, job):
    return uuid4()


def held_by_another_daemon(remote, job):
    """The lease is right, but it is another daemon's."""
    ProvisionerJob.objects.update(daemon=make_daemon(key=remote.key))
    return job.lease


LOSSES = [
    given_to_another,
    given_again_to_the_same,
    given_back,
    reaped,
    never_held,
    held_by_another_daemon,
]


def assert_lease_lost(answer):
    assert_error(answer, 409, message="no longer yours")
    assert answer.json()["detail"] == "lease_lost"


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("lose", LOSSES)
def test_a_stale_lease_can_do_nothing(remote, job, verb, lose):
    stale = lose(remote, job)
    before = everything()

    answer = remote.say(job, verb, lease=stale, **VERBS[verb])

    assert_lease_lost(answer)
    assert everything() == before


class TestWhatAKeyBounds:
    @pytest.fixture(params=["another organization's key", "another key of the organization"])
    def stranger(self, request, remote):
        if request.param.startswith("another organization"):
            return make_remote(organization=make_organization())
        return make_remote()

    @pytest.mark.parametrize("verb", VERBS)
    def test_a_job_is_not_spoken_about_in_another_daemons_name(self, remote, job, stranger, verb):
        before = everything()
        stranger.daemon = remote.daemon

        assert_error(stranger.say(job, verb, **VERBS[verb]), 404)
        assert everything() == before

    @pytest.mark.parametrize("verb", VERBS)
    def test_another_organizations_job_is_not_there_though_the_lease_is_right(self, job, verb):
        stranger = make_remote(organization=make_organization())
        before = everything()

        assert_error(stranger.say(job, verb, **VERBS[verb]), 404)
        assert everything() == before

    @pytest.mark.parametrize("verb", VERBS)
    def test_a_job_that_does_not_exist_is_not_there(self, remote, job, verb):
        ProvisionerJob.objects.update(daemon=None)
        words = {"daemon_id": str(remote.daemon.pk), "lease": str(job.lease), **VERBS[verb]}

        assert_error(remote.post(f"/jobs/{uuid4()}/{verb}", words), 404)

    @pytest.mark.parametrize("verb", DAEMON_VERBS)
    def test_another_keys_daemon_is_not_there(self, remote, stranger, verb):
        make_workspace()
        stranger.daemon = remote.daemon

        assert_error(stranger.ask(verb, **DAEMON_VERBS[verb]), 404)
        remote.daemon.refresh_from_db()
        assert remote.daemon.stopped_at is None
        assert ProvisionerJob.objects.get().started_at is None

    @pytest.mark.parametrize("verb", DAEMON_VERBS)
    def test_a_daemon_beside_the_database_is_not_spoken_for_by_any_key(self, remote, verb):
        remote.daemon = make_daemon()

        assert_error(remote.ask(verb, **DAEMON_VERBS[verb]), 404)

    def test_only_the_organizations_own_lost_jobs_are_reaped(self, remote, job):
        ProvisionerJob.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=1))
        stranger = make_remote(organization=make_organization())

        assert stranger.ask("reap").json() == {"count": 0}
        assert ProvisionerJob.objects.get().status == "running"
        assert remote.ask("reap").json() == {"count": 1}
        assert ProvisionerJob.objects.get().error_code == "provisioner_lost"


LONG = "x" * 2_001
DEEP = {"a": {}}
BAD = [
    ("heartbeat", {"lease": "no"}, ["lease"]),
    ("heartbeat", {"daemon_id": "seven"}, ["daemon_id"]),
    ("heartbeat", {"lease": None}, ["lease"]),
    ("heartbeat", {"surprise": 1}, ["surprise"]),
    ("logs", {}, ["lines"]),
    ("logs", {"lines": "hello"}, ["lines"]),
    ("logs", {"lines": [LINE | {"output": LONG}]}, ["lines.0.output"]),
    ("logs", {"lines": [LINE | {"output": "\x00"}]}, ["lines.0.output"]),
    ("logs", {"lines": [LINE | {"at": "noon"}]}, ["lines.0.at"]),
    ("logs", {"lines": [LINE | {"stage": "s" * 65}]}, ["lines.0.stage"]),
    ("logs", {"lines": [LINE | {"more": 1}]}, ["lines.0.more"]),
    ("logs", {"lines": [LINE] * 1_001}, ["lines"]),
    ("resources", {"resources": [RESOURCE | {"name": "n" * 65}]}, ["resources.0.name"]),
    ("resources", {"resources": [{"name": "n"}]}, ["resources.0.type"]),
    (
        "resources",
        {"resources": [RESOURCE | {"agents": [{"name": "main", "token": "short"}]}]},
        ["resources.0.agents.0.token"],
    ),
    ("complete", {}, ["provisioner_state"]),
    ("complete", {"provisioner_state": []}, ["provisioner_state"]),
    ("complete", {"provisioner_state": {"a": ["\x00"]}}, ["provisioner_state"]),
    ("complete", {"provisioner_state": {"\x00": 1}}, ["provisioner_state"]),
    (
        "complete",
        {"provisioner_state": {}, "replacements": [{"resource": "disk"}]},
        ["replacements.0.paths"],
    ),
    ("fail", {"error": "x", "code": "bad_luck"}, ["code"]),
    ("fail", {"error": "x" * 100_001, "code": "driver_error"}, ["error"]),
    ("fail", {"error": ["x"], "code": "driver_error"}, ["error"]),
]


@pytest.mark.parametrize(("verb", "words", "names"), BAD)
def test_what_makes_no_sense_is_refused_by_the_name_of_its_field(remote, job, verb, words, names):
    before = everything()
    body = {"daemon_id": str(remote.daemon.pk), "lease": str(job.lease), **words}

    answer = remote.post(f"/jobs/{job.job_id}/{verb}", body)

    assert answer.status_code == 400, answer.content
    named = [each["field"] for each in answer.json()["validations"]]
    assert [one.replace("[", ".").replace("]", "") for one in named] == names
    assert everything() == before


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"name": ""}, "name"),
        ({"name": "n" * 129}, "name"),
        ({"concurrency": 0}, "concurrency"),
        ({"concurrency": 101}, "concurrency"),
        ({"provisioner_types": []}, "provisioner_types"),
        ({"provisioner_types": ["magic"]}, "provisioner_types.0"),
        ({"tags": ["a"]}, "tags"),
        ({"tags": {"a": {"b": 1}}}, "tags.a"),
        ({"tags": {"\x00": "1"}}, "tags"),
        ({"tags": {"": "1"}}, "tags"),
        ({"tags": {str(number): "1" for number in range(51)}}, "tags"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_an_introduction_that_makes_no_sense_is_refused_by_the_name_of_its_field(
    remote, change, name
):
    answer = remote.post("/daemons", PROFILE | change)

    assert_error(answer, 400, fields=[name])


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ({}, "lease"),
        ({"lease": "x"}, "lease"),
        ({"lease": str(UUID(int=1)), "wait_seconds": 31}, "wait_seconds"),
        ({"lease": str(UUID(int=1)), "wait_seconds": -1}, "wait_seconds"),
        ({"lease": str(UUID(int=1)), "wait_seconds": "soon"}, "wait_seconds"),
        ({"lease": str(UUID(int=1)), "wait": 3}, "wait"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused_by_the_name_of_its_field(remote, words, name):
    assert_error(remote.ask("acquire", **words), 400, fields=[name])


RAW = {
    "no JSON": b"{",
    "no object": b"[]",
    "a number": b"7",
    "nothing": b"",
    "deep": b'{"provisioner_state":' + b'{"a":' * 5_000 + b"1" + b"}" * 5_001,
    "no UTF-8": b'{"lease": "\xff"}',
    "half a surrogate": b'{"lease": "\\ud800"}',
    "not a number": b'{"wait_seconds": NaN}',
    "endless": b'{"provisioner_state": {"a": 1e999}, "wait_seconds": 1e999}',
    "a long number": b'{"wait_seconds": ' + b"9" * 5_000 + b"}",
}


@pytest.mark.parametrize("raw", RAW)
@pytest.mark.parametrize("verb", [*VERBS, *DAEMON_VERBS, "register"])
def test_no_body_whatever_it_is_breaks_the_server(remote, job, verb, raw):
    path = f"/jobs/{job.job_id}/{verb}" if verb in VERBS else f"/daemons/{remote.daemon.pk}/{verb}"
    path = "/daemons" if verb == "register" else path
    remote.client.raise_request_exception = True

    answer = remote.client.post(f"{API}{path}", RAW[raw], content_type="application/json")

    assert answer.status_code in ({204, 200, 400} if raw == "nothing" else {400})
    if answer.status_code == 400:
        assert set(answer.json()) == {"message", "detail", "validations"}


def test_a_number_without_an_end_in_the_state_is_refused(remote, job):
    raw = (
        f'{{"daemon_id": "{remote.daemon.pk}", "lease": "{job.lease}", '
        f'"provisioner_state": {{"a": [1e999]}}}}'
    )
    path = f"{API}/jobs/{job.job_id}/complete"

    answer = remote.client.post(path, raw, content_type="application/json")

    assert_error(answer, 400, fields=["provisioner_state"])


@pytest.mark.parametrize("verb", ["logs", "acquire"])
def test_a_body_without_measure_is_refused_unread(remote, job, verb, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000
    path = f"/jobs/{job.job_id}/logs" if verb == "logs" else f"/daemons/{remote.daemon.pk}/acquire"

    assert_error(remote.post(path, {"lines": ["x" * 2_000]}), 413)


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_other_methods_are_refused(remote, job, method):
    for path in (f"/jobs/{job.job_id}/heartbeat", f"/daemons/{remote.daemon.pk}/acquire"):
        answer = getattr(remote.client, method)(f"{API}{path}")

        assert_error(answer, 405)


def test_a_word_about_a_job_costs_few_statements(remote, job, django_assert_max_num_queries):
    with django_assert_max_num_queries(6):
        remote.say(job, "heartbeat")


def test_a_prebuilds_claim_build_is_told_like_any_other(remote):
    make_workspace(template=make_template(organization=default_organization()))

    assert remote.ask("acquire", lease=str(uuid4())).json()["stage"] == "none"


def test_the_agents_token_is_stored_as_a_digest_only(remote, job):
    remote.say(job, "resources", resources=VERBS["resources"]["resources"])

    assert "a-token-of-some-length" not in str(Agent.objects.values().get())
    assert result_for(job.workspace_id)
