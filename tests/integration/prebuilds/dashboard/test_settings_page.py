"""The settings page: the pause, and every variable with where it comes from, but no secret."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from accounts.audit import Actor
from accounts.enums import AuditSource
from config.env import Environment
from prebuilds import services
from prebuilds.dashboard.settings.explanations import GROUPS
from prebuilds.dashboard.settings.presentation import present_configuration
from tests.factories import make_user, pause
from tests.integration.prebuilds.dashboard.visitors import client_of, text_of, visitor

pytestmark = pytest.mark.django_db

PAGE = "/settings/"
DOCUMENTED = Path(settings.BASE_DIR, "docs", "configuration.md")


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("owner", 200),
        ("template admin", 200),
        ("auditor", 200),
        ("user admin", 404),
        ("organization admin", 404),
        ("member", 404),
        ("stranger", 302),
    ],
)
def test_the_page_is_for_who_may_read_the_settings(kind, status):
    client = visitor(kind)

    assert client.get(PAGE).status_code == status
    if kind != "stranger":
        assert ('href="/settings/"' in client.get("/account/").text) == (status == 200)


@pytest.mark.parametrize(("kind", "offered"), [("template admin", True), ("auditor", False)])
def test_only_who_may_pause_is_offered_it(kind, offered):
    text = visitor(kind).get(PAGE).text

    assert "Running" in text
    assert ("/reconcile/pause?back=/settings/" in text) == offered


def test_a_pause_shows_who_why_and_until_when():
    olga = make_user("olga", roles=["owner"])
    services.pause_reconciliation(
        actor=Actor(user=olga, source=AuditSource.PAGE),
        reason="<b>flooded</b> queue",
        until=timezone.now() + timedelta(hours=3),
        now=timezone.now(),
    )

    text = text_of(client_of(olga).get(PAGE))

    assert "Paused" in text
    assert "&lt;b&gt;flooded&lt;/b&gt; queue" in text
    assert 'Who</dt><dd class="datagrid-content">olga' in text
    assert 'Until</dt><dd class="datagrid-content"><time' in text
    assert "/reconcile/resume?back=/settings/" in text


def test_a_pause_that_is_over_is_none():
    pause(until=timezone.now() - timedelta(minutes=1), now=timezone.now() - timedelta(hours=1))

    assert "Running" in visitor("owner").get(PAGE).text


def test_every_variable_is_shown_with_its_value_and_where_it_comes_from():
    text = text_of(visitor("auditor").get(PAGE))

    for reading in settings.CONFIGURATION:
        assert f">{reading.name}</code>" in text
    assert 'data-label="Value">50</td>' in text
    assert 'data-label="From"><span class="tag">environment</span>' in text
    assert 'data-label="From"><span class="text-secondary">default</span>' in text


def test_every_variable_is_explained_and_documented_and_no_other():
    explained = [name for _, meanings in GROUPS for name in meanings]
    documented = DOCUMENTED.read_text()

    assert sorted(explained) == sorted(reading.name for reading in settings.CONFIGURATION)
    assert [name for name in explained if f"`{name}`" not in documented] == []


def test_no_secret_is_on_the_page(settings):
    env = Environment(
        {
            "DATABASE_URL": "postgresql://ana:hunter2@db:5432/pre?password=hunter2",
            "PREBUILDS_SECRET_KEY": "hunter2" * 9,
            "PREBUILDS_PROVISIONER_KEY": "hunter2-key",
        }
    )
    env.database_address("DATABASE_URL")
    env.secret("PREBUILDS_SECRET_KEY")
    env.secret("PREBUILDS_PROVISIONER_KEY")
    settings.CONFIGURATION = env.readings()

    text = visitor("owner").get(PAGE).text

    assert "hunter2" not in text
    assert "postgresql://ana@db:5432/pre" in text
    assert text.count("set (not shown)") == 2


def test_the_key_and_the_password_in_force_are_not_on_the_page():
    text = visitor("owner").get(PAGE).text

    assert settings.SECRET_KEY not in text
    assert "for-tests-only" not in text


def test_switches_are_on_or_off_and_what_is_not_set_says_so():
    env = Environment({"PREBUILDS_DEBUG": "yes"})
    env.bool("PREBUILDS_DEBUG")
    env.bool("PREBUILDS_INSECURE_HTTP")
    env.secret("PREBUILDS_PROVISIONER_KEY")

    groups = present_configuration(env.readings())

    shown = {one.name: one.value for group in groups for one in group.variables}
    assert shown == {
        "PREBUILDS_DEBUG": "on",
        "PREBUILDS_INSECURE_HTTP": "off",
        "PREBUILDS_PROVISIONER_KEY": "unset",
    }


def test_a_variable_nobody_explained_is_shown_all_the_same():
    env = Environment({})
    env.string("PREBUILDS_NEW", "x")

    (group,) = present_configuration(env.readings())

    assert (group.title, group.variables[0].name) == ("Others", "PREBUILDS_NEW")


def test_the_page_costs_few_statements(django_assert_max_num_queries):
    client = visitor("owner")

    with django_assert_max_num_queries(6):
        client.get(PAGE)
