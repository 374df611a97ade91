"""What each check of `manage.py doctor` reads, from a database, a mail server, an address."""

import http.server
import threading
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from django_q.models import OrmQ, Schedule, Task

from accounts.services import organizations
from prebuilds import tasks
from prebuilds.checkup import database, machine, mail, pools, tables, web, worker
from prebuilds.checkup.findings import Level, Visit
from prebuilds.checkup.statements import read_server, read_triggers
from prebuilds.models import Mail, ReconcileRun
from templates_app.services import PresetSpec
from tests import factories
from tests.integration.prebuilds import mailing
from workspaces.listening import connection_params
from workspaces.models import ProvisionerJob
from workspaces.services import daemons

pytestmark = pytest.mark.django_db

VISIT = Visit(clock=timezone.now)
WELL, WARNS, FAILS, NOT_LOOKED = [Level.OK], [Level.WARNING], [Level.FAILING], [Level.SKIPPED]
READY = b'{"status": "ok", "process": "ok", "database": "ok", "migrations": "ok"}'


def levels(check, visit=VISIT):
    return [one.level for one in check(visit)]


def texts(check, visit=VISIT):
    return " ".join(one.text for one in check(visit))


class TestDatabase:
    def test_a_server_of_ours_is_well(self):
        assert levels(database.check_database) == WELL * 2

    def test_a_clock_that_differs_is_told(self):
        behind = Visit(clock=lambda: timezone.now() - timedelta(seconds=30))

        assert levels(database.check_database, behind) == WELL + WARNS
        assert "30.0 s ahead of" in texts(database.check_database, behind)

    @pytest.mark.parametrize(
        ("setting", "value", "words"),
        [
            ("default_transaction_read_only", "on", "takes no writes"),
            ("TimeZone", "Europe/Berlin", "time zone Europe/Berlin"),
        ],
    )
    def test_a_session_that_is_not_as_we_need_it_fails(self, setting, value, words):
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config(%s, %s, true)", [setting, value])

        assert levels(database.check_database) == WELL + FAILS + WELL
        assert words in texts(database.check_database)

    @pytest.mark.parametrize(("name", "is_taken"), [("psql", True), ("prebuilds web", False)])
    def test_only_connections_of_others_are_taken(self, name, is_taken):
        with psycopg.connect(**connection_params() | {"application_name": name}):
            server = read_server()

        assert bool(server.connections_of_others) == is_taken

    def test_one_of_each_process_fits_into_what_the_server_allows(self):
        assert levels(database.check_connections) == WELL

    def test_behind_a_pooler_its_sizes_are_what_counts(self, settings, monkeypatch):
        monkeypatch.setitem(settings.DATABASES, "direct", {})

        assert levels(database.check_connections) == NOT_LOOKED

    def test_bells_are_rung_for_real(self, monkeypatch):
        assert levels(database.check_bells) == WELL

        elsewhere = connection_params() | {"dbname": "postgres"}
        monkeypatch.setattr(
            database,
            "connection_params",
            lambda alias="": {} | (connection_params() if alias else elsewhere),
        )
        monkeypatch.setattr(database, "BELL_SECONDS", 0.3)
        assert levels(database.check_bells) == FAILS


class TestTables:
    def test_all_migrations_are_applied_and_one_that_is_not_is_named(self):
        assert levels(tables.check_migrations) == WELL

        MigrationRecorder.Migration.objects.filter(app="prebuilds", name="0009_mails").delete()

        assert "prebuilds.0009_mails" in texts(tables.check_migrations)

    def test_the_list_of_triggers_is_what_the_migrations_made(self):
        assert read_triggers() == tables.TRIGGERS

    def test_a_trigger_that_was_disabled_is_named(self):
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE workspaces_provisionerjob DISABLE TRIGGER job_rings")

        assert levels(tables.check_triggers) == FAILS
        assert texts(tables.check_triggers) == "missing or disabled: job_rings"


def finish(name, *, success=True, ago=timedelta(0)):
    at = timezone.now() - ago
    return Task.objects.create(
        id=f"{name}-{ago.total_seconds():.0f}",
        name=name,
        func=tasks.SCHEDULES[name]["func"],
        started=at,
        stopped=at,
        success=success,
    )


class TestWorker:
    def test_schedules_that_were_never_installed_fail(self):
        assert levels(worker.check_schedules) == FAILS

        call_command("setup_schedules", stdout=StringIO())

        assert levels(worker.check_schedules) == WELL

    def test_a_schedule_that_is_long_due_fails(self):
        call_command("setup_schedules", stdout=StringIO())
        late = timezone.now() - timedelta(minutes=10)
        Schedule.objects.filter(name="send_mail").update(next_run=late)

        assert texts(worker.check_schedules) == "due and not run: send_mail (10 min)"

    def test_a_worker_that_did_its_tasks_is_alive(self):
        assert levels(worker.check_worker) == FAILS

        for name in tasks.SCHEDULES:
            finish(name)

        assert levels(worker.check_worker) == WELL

    def test_the_newest_run_of_a_task_is_the_one_that_counts(self):
        for name in tasks.SCHEDULES:
            finish(name)
        finish("reconcile", success=False, ago=timedelta(minutes=1))
        assert levels(worker.check_worker) == WELL

        Task.objects.filter(name="reconcile", success=True).delete()

        assert texts(worker.check_worker) == "failed the last time: reconcile"

    def test_a_queue_that_piles_up_is_told(self):
        for name in tasks.SCHEDULES:
            finish(name)
        OrmQ.objects.bulk_create(OrmQ(key="prebuilds", payload="") for _ in range(21))

        assert levels(worker.check_worker) == WARNS + WELL


class TestPools:
    def test_the_last_completed_cycle_counts(self):
        assert levels(pools.check_cycle) == FAILS

        at = timezone.now()
        ReconcileRun.objects.create(trigger="interval", started_at=at, completed_at=at)

        assert levels(pools.check_cycle) == WELL

    def test_a_pause_is_said_with_who_and_why(self):
        at = timezone.now()
        ReconcileRun.objects.create(trigger="interval", started_at=at, completed_at=at)
        factories.pause(until=at + timedelta(hours=1))

        assert levels(pools.check_cycle) == WELL + WARNS
        assert "paused until" in texts(pools.check_cycle)
        assert texts(pools.check_cycle).endswith("by a command: upgrade")

    def test_a_daemon_with_the_tags_of_a_pool_must_be_online(self):
        assert levels(pools.check_provisioners) == WARNS
        factories.make_template("tagged", tags={"zone": "eu"})
        assert levels(pools.check_provisioners) == FAILS

        factories.make_daemon(tags={"zone": "us"})
        assert texts(pools.check_provisioners) == "nobody online takes the jobs of: tagged"

        fitting = factories.make_daemon(tags={"zone": "eu", "disk": "ssd"})
        assert levels(pools.check_provisioners) == WELL

        daemons.retire_daemon(daemon_id=fitting.pk, now=timezone.now())
        assert levels(pools.check_provisioners) == FAILS

    def test_a_daemon_that_fell_silent_is_not_online(self):
        factories.make_daemon(now=timezone.now() - timedelta(minutes=1))

        assert levels(pools.check_provisioners) == WARNS

    def test_jobs_that_wait_for_a_machine_that_is_away_are_told(self):
        factories.make_bound_job()
        factories.make_daemon(name="near", machine="m-2")

        assert levels(pools.check_provisioners) == WELL + WARNS
        said = texts(pools.check_provisioners)
        assert "1 job waits for the machine of build-1 on far (m-1), not seen since 20" in said

        factories.make_daemon(name="again", machine="m-1")
        assert levels(pools.check_provisioners) == WELL

    def test_jobs_that_nobody_on_their_machine_takes_are_told(self):
        job = factories.make_bound_job()
        ProvisionerJob.objects.filter(pk=job.pk).update(tags={"gpu": "yes"})
        factories.make_daemon(machine="m-1")
        factories.make_daemon(machine="m-2", tags={"gpu": "yes"})

        assert levels(pools.check_provisioners) == WELL + WARNS
        said = texts(pools.check_provisioners)
        told = "1 job waits for the machine m-1, and nobody online there takes the jobs of: "
        assert told + job.workspace.template.name in said

        factories.make_daemon(machine="m-1", tags={"gpu": "yes"})
        assert levels(pools.check_provisioners) == WELL

    def test_a_pool_that_wants_none_needs_nobody(self):
        small = PresetSpec(name="Small", desired_instances=0)
        factories.make_template("idle", tags={"zone": "eu"}, presets=[small])
        factories.make_daemon()

        assert levels(pools.check_provisioners) == WELL

    def test_the_owner_of_prebuilds_is_in_the_group_of_every_organization_with_a_pool(self):
        preset = factories.preset_of(factories.make_template())
        assert levels(pools.check_owner) == WARNS

        organizations.ensure_prebuilds_membership([preset.version.template.organization_id])

        assert levels(pools.check_owner) == WELL


@pytest.fixture
def inbox():
    return mailing.Inbox()


@pytest.fixture
def server(inbox, settings):
    with mailing.mail_server(inbox) as port:
        settings.PREBUILDS_SENDS_MAIL = True
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
        yield port


class TestMail:
    def test_without_a_server_it_is_said(self, settings):
        settings.PREBUILDS_SENDS_MAIL = False

        assert levels(mail.check_mail_server) == WARNS
        assert levels(mail.check_mail_backlog) == NOT_LOOKED

    def test_without_a_server_no_mail_can_be_tried(self, settings):
        settings.PREBUILDS_SENDS_MAIL = False

        asked = Visit(clock=timezone.now, mail_to="ana@example.com")

        assert levels(mail.check_mail_server, asked) == WARNS + FAILS

    def test_a_server_is_greeted_and_gets_no_mail(self, server, inbox):
        assert levels(mail.check_mail_server) == WELL
        assert inbox.mails == []

    def test_a_mail_goes_to_whoever_asked_for_one(self, server, inbox):
        asked = Visit(clock=timezone.now, mail_to="ana@example.com")

        assert levels(mail.check_mail_server, asked) == WELL * 2
        assert inbox.readers() == ["ana@example.com"]

    def test_a_server_that_is_away_fails_with_its_reason(self, server, settings):
        settings.EMAIL_PORT = 1

        assert levels(mail.check_mail_server) == FAILS
        assert "127.0.0.1:1: [Errno 111]" in texts(mail.check_mail_server)

    def test_a_mail_that_waits_for_long_or_was_given_up_is_told(self, server):
        mailing.make_reader("ana")
        mailing.open_notice(mailing.make_preset())
        Mail.objects.update(created_at=timezone.now())
        assert levels(mail.check_mail_backlog) == WELL

        Mail.objects.update(created_at=timezone.now() - timedelta(hours=2))
        assert texts(mail.check_mail_backlog) == "1 wait, the oldest for 2 h"

        Mail.objects.update(given_up_at=timezone.now(), error="no such user")
        assert texts(mail.check_mail_backlog) == "1 were given up in the last 7 days"


@contextmanager
def answering(status, body):
    """A server that answers everything alike; yields its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as house:
        thread = threading.Thread(target=house.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{house.server_port}"
        house.shutdown()
        thread.join()


class TestWeb:
    @pytest.mark.parametrize(
        ("status", "body", "expected"),
        [(200, READY, WELL), (503, READY, WARNS), (404, b"nothing here", WARNS)],
    )
    def test_the_address_is_asked_whether_it_is_ready(self, settings, status, body, expected):
        settings.DEBUG = True
        with answering(status, body) as address:
            settings.PREBUILDS_ACCESS_URL = address

            assert levels(web.check_address) == expected

    def test_an_address_where_nobody_answers_is_told(self, settings):
        settings.DEBUG, settings.PREBUILDS_ACCESS_URL = True, "http://127.0.0.1:1"

        assert texts(web.check_address) == (
            "http://127.0.0.1:1 does not answer: [Errno 111] Connection refused"
        )

    def test_debug_is_a_warning_and_djangos_checks_are_asked(self, settings):
        settings.DEBUG = True
        assert levels(web.check_settings) == WARNS + WELL

        settings.DEBUG, settings.SECRET_KEY = False, "short"
        assert "security.W009" in texts(web.check_settings)

    def test_files_in_debug_come_from_the_sources(self):
        assert levels(web.check_static_files) == NOT_LOOKED

    def test_collected_files_are_found_and_missing_ones_named(
        self, settings, tmp_path, monkeypatch
    ):
        from whitenoise.storage import CompressedManifestStaticFilesStorage as Storage

        storage = Storage(location=tmp_path, base_url="/static/")
        monkeypatch.setattr(web, "staticfiles_storage", storage)
        assert levels(web.check_static_files) == FAILS

        sources = [name for finder in web.get_finders() for name, _ in finder.list([])]
        storage.hashed_files = dict.fromkeys(sources, "x")
        assert levels(web.check_static_files) == WELL


class TestMachine:
    def test_the_room_on_the_disk_is_read(self, settings, tmp_path):
        settings.DEBUG, settings.PREBUILDS_DATA_DIR = True, tmp_path

        (found,) = machine.check_disk(VISIT)

        assert "GiB are free" in found.text

    def test_outside_debug_the_embedded_database_is_a_warning(self, settings, tmp_path):
        settings.DEBUG, settings.PREBUILDS_DATA_DIR = False, tmp_path

        first, *_ = machine.check_disk(VISIT)

        assert first.level == Level.WARNING
        assert "for one machine" in first.text

    def test_a_database_elsewhere_keeps_its_own_disk(self, settings, monkeypatch):
        elsewhere = "django.db.backends.postgresql"
        monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", elsewhere)

        assert levels(machine.check_disk) == NOT_LOOKED
