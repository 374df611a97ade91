"""DATABASE_URL to Django's DATABASES, and which process pools."""

from pathlib import Path

import pytest
from psycopg import IsolationLevel

from config.database import databases, is_web_server
from config.env import BadSetting

COMMAND = ["manage.py", "qcluster"]
SERVER = ["/somewhere/.venv/bin/uvicorn", "config.asgi:application"]


def default(url: str, argv: list[str] = COMMAND, pool_size: int = 10) -> dict:
    return databases(url, Path("/data"), argv, pool_size)["default"]


def test_an_address_is_taken_apart_and_decoded():
    found = default("postgresql://us%40er:p%2Fw%3A@db.example:5433/pre%20builds?sslmode=require")
    assert (found["USER"], found["PASSWORD"]) == ("us@er", "p/w:")
    assert (found["HOST"], found["PORT"], found["NAME"]) == ("db.example", "5433", "pre builds")
    assert found["OPTIONS"]["sslmode"] == "require"


def test_a_socket_folder_is_a_host():
    assert default("postgres:///x?host=%2Frun%2Fpg")["HOST"] == "/run/pg"


def test_an_unreachable_host_is_given_up_unless_the_address_says_otherwise():
    assert default("postgres://h/x")["OPTIONS"]["connect_timeout"] == 10
    assert default("postgres://h/x?connect_timeout=3")["OPTIONS"]["connect_timeout"] == "3"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mysql://u:sekret@h/x", "must begin with postgresql://"),
        ("u:sekret@h/x", "must begin with postgresql://"),
        ("postgres:sekret", "must begin with postgresql://"),
        ("postgres://u:sekret@h", "names no database"),
        ("postgres://u:sekret@h/", "names no database"),
        ("postgres://u:sekret%zz@h/x", "not a valid address"),
        ("postgres://u:sekret@h/x?nonsense=1", "not a valid address"),
    ],
)
def test_a_wrong_address_is_explained_without_its_password(url, reason):
    with pytest.raises(BadSetting, match=reason) as caught:
        default(url)
    assert str(caught.value).startswith("DATABASE_URL")
    assert "sekret" not in str(caught.value)


def test_without_an_address_the_embedded_server_serves():
    found = default("")
    assert found["ENGINE"] == "config.embedded_postgres"
    assert found["DATA_DIR"] == Path("/data/postgres")


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (SERVER, True),
        (["/x/site-packages/uvicorn/__main__.py", "app"], True),
        (["manage.py", "uvicorn"], False),
        (["manage.py", "qcluster"], False),
        (["-c"], False),
        ([], False),
    ],
)
def test_only_the_web_server_is_one(argv, expected):
    assert is_web_server(argv) is expected


def test_the_web_server_pools_and_forking_processes_do_not():
    pooled, forking = default("postgres://h/x", SERVER), default("postgres://h/x")
    assert (pooled["OPTIONS"]["pool"]["max_size"], pooled["CONN_MAX_AGE"]) == (10, 0)
    assert "pool" not in forking["OPTIONS"]
    assert forking["CONN_MAX_AGE"] == 60


def test_a_pool_of_none_is_no_pool():
    assert "pool" not in default("postgres://h/x", SERVER, pool_size=0)["OPTIONS"]


def test_the_snapshot_alias_is_the_same_database_never_pooled_and_keeps_given_options():
    url = "postgres://h/x?options=-c%20work_mem%3D8MB"
    snapshot = databases(url, Path("/data"), SERVER, 10)["snapshot"]
    assert (snapshot["HOST"], snapshot["NAME"]) == ("h", "x")
    assert "pool" not in snapshot["OPTIONS"]
    assert snapshot["OPTIONS"]["options"].startswith(
        "-c work_mem=8MB -c default_transaction_read_only"
    )
    assert snapshot["TEST"] == {"MIRROR": "default"}


POOLER, DIRECT = "postgres://u:sekret@pooler:6432/x", "postgres://u:sekret@h:5432/x?sslmode=require"


def behind_a_pooler(argv: list[str] = COMMAND, direct: str = DIRECT) -> dict:
    return databases(POOLER, Path("/data"), argv, 10, direct)


def test_behind_a_pooler_only_listening_goes_past_it():
    found = behind_a_pooler(SERVER)
    assert {alias: found[alias]["HOST"] for alias in found} == {
        "default": "pooler",
        "snapshot": "pooler",
        "direct": "h",
    }
    assert found["direct"]["OPTIONS"]["sslmode"] == "require"
    assert "pool" in found["default"]["OPTIONS"]
    assert "pool" not in found["direct"]["OPTIONS"]


@pytest.mark.parametrize("alias", ["default", "snapshot"])
def test_a_pooler_is_asked_for_nothing_that_outlasts_a_transaction(alias):
    found = behind_a_pooler()[alias]
    assert found["DISABLE_SERVER_SIDE_CURSORS"] is True
    assert "options" not in found["OPTIONS"]


def test_behind_a_pooler_the_snapshot_is_named_in_each_begin():
    snapshot = behind_a_pooler()["snapshot"]
    assert snapshot["ENGINE"] == "config.read_only_postgres"
    assert snapshot["OPTIONS"]["isolation_level"] is IsolationLevel.REPEATABLE_READ


def test_without_a_pooler_there_is_no_third_alias():
    assert set(databases(DIRECT, Path("/data"), COMMAND, 10)) == {"default", "snapshot"}


def test_a_direct_address_alone_is_refused():
    with pytest.raises(BadSetting, match="set DATABASE_URL to the pooler's address"):
        databases("", Path("/data"), COMMAND, 10, DIRECT)


def test_a_wrong_direct_address_is_explained_without_its_password():
    with pytest.raises(BadSetting, match="PREBUILDS_DIRECT_DATABASE_URL must begin") as caught:
        behind_a_pooler(direct="u:sekret@h/x")
    assert "sekret" not in str(caught.value)
