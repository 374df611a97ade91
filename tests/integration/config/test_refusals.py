"""A person's mistake in the environment: one clear line, the right exit code, no traceback."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
KEY = {"PREBUILDS_SECRET_KEY": "k" * 50}


def manage(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", *(arguments or ("check",))]
    return subprocess.run(
        command, cwd=ROOT, env=environment, text=True, capture_output=True, timeout=50, check=False
    )


def only_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    return lines[0]


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, ["PREBUILDS_SECRET_KEY", "PREBUILDS_DEBUG=1", "secrets.token_urlsafe"]),
        ({"PREBUILDS_SECRET_KEY": "short"}, ["PREBUILDS_SECRET_KEY", "too short"]),
        (KEY | {"PREBUILDS_READY_TIMEOUT": "soon"}, ["PREBUILDS_READY_TIMEOUT='soon'", "5m"]),
        (KEY | {"PREBUILDS_MAX_IN_FLIGHT": "-1"}, ["PREBUILDS_MAX_IN_FLIGHT='-1'", "from 0"]),
        (KEY | {"PREBUILDS_PORT": "http"}, ["PREBUILDS_PORT='http'", "65535"]),
        (KEY | {"PREBUILDS_ACESS_URL": "x"}, ["unknown", "did you mean PREBUILDS_ACCESS_URL?"]),
        (KEY | {"PREBUILDS_SMTP_URL": "http://u:sekret@h"}, ["PREBUILDS_SMTP_URL", "smtps://"]),
        (KEY | {"PREBUILDS_MAIL_FROM": "nobody"}, ["PREBUILDS_MAIL_FROM='nobody'", "write it as"]),
        (KEY | {"PREBUILDS_DIGEST_HOUR": "24"}, ["PREBUILDS_DIGEST_HOUR='24'", "from 0 to 23"]),
        (KEY | {"PREBUILDS_LOG_FORMAT": "xml"}, ["PREBUILDS_LOG_FORMAT='xml'", "JSON"]),
        (KEY | {"OTEL_TRACES_EXPORTER": "zipkin"}, ["OTEL_TRACES_EXPORTER='zipkin'", "otlp"]),
        (KEY | {"DATABASE_URL": "mysql://u:sekret@h/x"}, ["DATABASE_URL", "postgresql://"]),
    ],
)
def test_a_bad_setting_ends_with_2_and_its_name(clean_environment, variables, words):
    done = manage(clean_environment | variables)
    line = only_line(done)
    assert done.returncode == 2
    assert all(word in line for word in words), line
    assert "sekret" not in line


def test_an_unreachable_database_ends_with_1_and_names_the_setting(clean_environment):
    url = "postgresql://u:sekret@127.0.0.1:1/x"
    done = manage(clean_environment | KEY | {"DATABASE_URL": url}, "migrate", "--skip-checks")
    line = only_line(done)
    assert done.returncode == 1
    assert "DATABASE_URL" in line
    assert "Connection refused" in line
    assert "sekret" not in line


def test_the_traceback_is_there_for_who_asks(clean_environment):
    url = "postgresql://127.0.0.1:1/x"
    done = manage(
        clean_environment | KEY | {"DATABASE_URL": url}, "migrate", "--skip-checks", "--traceback"
    )
    assert "Traceback" in done.stderr


def test_the_web_server_says_the_same_line(clean_environment):
    command = [sys.executable, "-m", "uvicorn", "config.asgi:application", "--port", "0"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=clean_environment,
        text=True,
        capture_output=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 2
    assert "PREBUILDS_SECRET_KEY" in only_line(done)


def test_with_a_database_url_the_embedded_server_is_never_imported(clean_environment):
    program = """
import django, sys
django.setup()
from django.db import OperationalError, connection
try:
    connection.ensure_connection()
except OperationalError:
    pass
sys.exit(any("embedded_postgres" in name or "pgserver" in name for name in sys.modules))
"""
    variables = KEY | {
        "DATABASE_URL": "postgresql://127.0.0.1:1/x",
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    command = [sys.executable, "-c", program]
    environment = clean_environment | variables
    assert subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0


def test_in_debug_a_key_is_made_once_and_kept_private(clean_environment, tmp_path):
    variables = {"PREBUILDS_DEBUG": "1", "PREBUILDS_DATA_DIR": str(tmp_path / "data")}
    assert manage(clean_environment | variables, "help").returncode == 0
    path = tmp_path / "data" / "secret_key"
    first = path.read_text()
    assert manage(clean_environment | variables, "help").returncode == 0
    assert path.read_text() == first
    assert path.stat().st_mode & 0o777 == 0o600
