"""Every page of the admin: it opens, for whom, and what it costs, whichever model it shows."""

from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts import audit
from accounts.audit import Actor
from accounts.enums import OrganizationRole, SiteRole, TokenScope
from accounts.models import Group, GroupMembership
from accounts.services import create_token
from prebuilds.claims import claim_or_create_workspace
from prebuilds.models import Mail, Notice, ReconcileDecision, ReconcileRun
from prebuilds.services import pause_reconciliation
from templates_app.parameters import ParameterDefinition
from templates_app.services import PresetSpec
from tests.factories import (
    make_daemon,
    make_organization,
    make_ready_prebuilds,
    make_template,
    make_user,
    preset_of,
)
from workspaces.models import AgentLog, JobLog, ProvisionerKey
from workspaces.models.agent import Agent

pytestmark = pytest.mark.django_db

OURS = ("accounts", "templates_app", "workspaces", "prebuilds")
PAGES = list(admin.site._registry)
EDITABLE = {
    *(f"accounts.{name}" for name in ("user", "organization", "membership", "group")),
    "accounts.groupmembership",
    "templates_app.template",
    "templates_app.preset",
}


def name_of(model: Any) -> str:
    return model._meta.label_lower


def address(model: Any, page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def client_of(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def owner() -> Any:
    return make_user("olga", roles=[SiteRole.OWNER])


def add_one_of_everything(children: int = 1) -> None:
    """Add a row to every table; `children` rows where a page shows rows within a row."""
    now, numbers = timezone.now(), range(children)
    organization = make_organization()
    user = make_user(organization=organization)
    create_token(user=user, name="laptop", scope=TokenScope.USE, expires_at=None, now=now)
    group = Group.objects.create(organization=organization, name="builders")
    GroupMembership.objects.create(group=group, user=user)
    template = make_template(
        organization=organization,
        definitions=[
            ParameterDefinition(name=f"p{n}", type="string", default="a") for n in numbers
        ],
        presets=[
            PresetSpec(
                name="Small" if n == 0 else f"Small {n}",
                desired_instances=2,
                parameters={f"p{m}": "b" for m in numbers},
                schedules=[(f"* {m} * * *", m + 2) for m in numbers],
            )
            for n in numbers
        ],
    )
    preset = preset_of(template)
    make_ready_prebuilds(preset, 2)
    claim = claim_or_create_workspace(
        owner=user,
        template=template,
        preset_id=preset.pk,
        name="mine",
        parameters={},
        now=timezone.now(),
    )
    agent = Agent.objects.filter(resource__build__workspace__template=template).first()
    job = claim.workspace.jobs.first()
    AgentLog.objects.create(agent=agent, at=now, output="started")
    JobLog.objects.create(job=job, at=now, stage="start", output="working")
    ProvisionerKey.objects.create(
        organization=organization, name="key", digest=str(organization.pk).encode()[:32]
    )
    make_daemon()
    run = ReconcileRun.objects.create(trigger="command", started_at=now, completed_at=now)
    ReconcileDecision.objects.create(
        run=run, preset=preset, state={}, actions=[{"action": "create", "reason": "missing"}]
    )
    notice = Notice.objects.create(
        kind="hard_limited",
        preset=preset,
        organization=organization,
        detail="no such image",
        opened_at=now,
    )
    Mail.objects.create(
        recipient=user, notice=notice, step="opened", subject="Stopped", text="Why", html="<p>Why"
    )
    pause_reconciliation(
        actor=Actor(user=user, source="page"), reason="a test", until=None, now=now
    )
    audit.record(actor=audit.AT_THE_SHELL, action="pause", target=preset, now=now)
    add_queue_rows(str(preset.pk.hex))


def add_queue_rows(key: str) -> None:
    now = timezone.now()
    model = {name: apps.get_model("django_q", name) for name in ("Schedule", "Task", "OrmQ")}
    model["Schedule"].objects.create(name=key, func="prebuilds.tasks.reconcile")
    for success in (True, False):
        model["Task"].objects.create(
            id=f"{success}{key}"[:32], name=key, func="f", started=now, stopped=now, success=success
        )
    model["OrmQ"].objects.create(key="prebuilds", payload="not for reading")


def queries_of(client: Client, url: str) -> list[str]:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        response = client.get(url)
    assert response.status_code == 200, (url, response.status_code)
    return [query["sql"] for query in captured]


def first_row(model: Any) -> Any:
    return rows_of(model).order_by("pk").first()


def rows_of(model: Any) -> Any:
    rows = model._base_manager.all()
    if model._meta.proxy:  # django-q's successes and failures
        return rows.filter(success=admin.site.get_model_admin(model).success)
    return rows.filter(build_number=1) if name_of(model).endswith(".workspacebuild") else rows


def newest(model: Any) -> Any:
    """Return the row added last; where that cannot be told, any row will do."""
    names = {field.name for field in model._meta.concrete_fields}
    return rows_of(model).order_by("created_at" if "created_at" in names else "pk").last()


def statuses(client: Client, method: str, *urls: str) -> list[int]:
    return [getattr(client, method)(url, {}).status_code for url in urls]


def pages_of(model: Any) -> tuple[str, str, str]:
    row = first_row(model)
    return (
        address(model, "change", row.pk),
        address(model, "delete", row.pk),
        address(model, "add"),
    )


def row_costs(client: Client) -> dict[str, int]:
    """Return how many statements each model's newest row costs when caches are warm."""
    urls = {name_of(model): address(model, "change", newest(model).pk) for model in PAGES}
    for url in urls.values():
        client.get(url)
    return {name: len(queries_of(client, url)) for name, url in urls.items()}


def list_costs(client: Client) -> dict[str, int]:
    urls = {name_of(model): address(model, "changelist") for model in PAGES}
    for url in urls.values():
        client.get(url)
    return {name: len(queries_of(client, url)) for name, url in urls.items()}


SHOWN_ELSEWHERE = {
    "accounts.RequestCount",  # digests nobody can read, of the last minutes
    "accounts.SignInTries",  # digests nobody can read; limits reached are in the audit log
    "prebuilds.MailPreference",  # each person's own, on the account page
    "prebuilds.MetricMark",  # sums that /metrics shows
    "prebuilds.MetricTotal",
    "prebuilds.PoolHour",  # the charts of the preset's page
}


def test_every_model_of_ours_has_a_page() -> None:
    missing = {
        model._meta.label
        for app in OURS
        for model in apps.get_app_config(app).get_models()
        if not admin.site.is_registered(model)
    }

    assert missing == SHOWN_ELSEWHERE


def test_lists_cost_the_same_for_one_row_and_five(owner: Any) -> None:
    client = client_of(owner)
    add_one_of_everything()
    one = list_costs(client)

    for _ in range(4):
        add_one_of_everything()

    assert list_costs(client) == one


def test_a_row_costs_the_same_with_one_row_inside_and_five(owner: Any) -> None:
    client = client_of(owner)
    add_one_of_everything(children=1)
    one = row_costs(client)

    add_one_of_everything(children=5)

    assert row_costs(client) == one


def test_histories_and_searches_open(owner: Any) -> None:
    add_one_of_everything()
    client = client_of(owner)

    for model in PAGES:
        history = client.get(address(model, "history", first_row(model).pk))
        search = client.get(address(model, "changelist"), {"q": "it's 100% ü"})
        assert (history.status_code, search.status_code) == (200, 200), name_of(model)


def test_filters_offer_only_what_works(owner: Any) -> None:
    add_one_of_everything()
    add_one_of_everything()
    client = client_of(owner)

    for model in PAGES:
        url = address(model, "changelist")
        changelist = client.get(url).context["cl"]
        for spec in changelist.filter_specs:
            for choice in spec.choices(changelist):
                page = client.get(url + choice["query_string"])
                assert page.status_code == 200, (name_of(model), choice)


def test_a_member_is_sent_away() -> None:
    client = client_of(make_user())

    assert {client.get(address(model, "changelist")).status_code for model in PAGES} == {302}


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, "waiting"),
        ({"sent_at": timezone.now()}, "sent"),
        ({"given_up_at": timezone.now(), "error": "550 no such user"}, "given up"),
    ],
)
def test_a_mail_says_what_became_of_it_and_shows_its_words_as_text(
    owner: Any, fields: dict[str, Any], state: str
) -> None:
    mail = Mail.objects.create(
        recipient=make_user("ana"),
        step="digest",
        digest_on=timezone.now().date(),
        subject="Two pools stand still",
        text="<b>one</b>\ntwo",
        html="<p>the same, for mail programs</p>",
        **fields,
    )
    client = client_of(owner)

    listed = client.get(address(Mail, "changelist")).text
    page = client.get(address(Mail, "change", mail.pk)).text

    assert f'<td class="field-state">{state}</td>' in listed
    assert "Two pools stand still" in listed
    assert fields.get("error", "") in listed
    assert "&lt;b&gt;one&lt;/b&gt;\ntwo" in page
    assert "for mail programs" not in page


def test_an_auditor_sees_and_cannot_change() -> None:
    add_one_of_everything()
    client = client_of(make_user(roles=[SiteRole.AUDITOR]))

    for model in PAGES:
        change, delete, add = pages_of(model)
        seen = statuses(client, "get", address(model, "changelist"), change)
        assert seen == [200, 200], name_of(model)
        assert statuses(client, "post", change, delete, add) == [403] * 3, name_of(model)


def test_what_a_state_machine_writes_nobody_writes_here(owner: Any) -> None:
    add_one_of_everything()
    client = client_of(owner)

    for model in PAGES:
        if name_of(model) not in EDITABLE:
            assert statuses(client, "post", *pages_of(model)) == [403] * 3, name_of(model)


def test_no_page_shows_a_digest_or_a_lease(owner: Any) -> None:
    add_one_of_everything()
    client = client_of(owner)

    for model in PAGES:
        page = client.get(address(model, "change", first_row(model).pk)).text
        for name in ("digest", "token_digest", "lease", "payload"):
            assert f"field-{name}" not in page, name_of(model)
        assert "not for reading" not in page


@pytest.mark.parametrize(
    ("label", "lookup"),
    [
        ("accounts.token", "digest__gt"),
        ("accounts.user", "password__startswith"),
        ("workspaces.provisionerjob", "lease"),
        ("workspaces.agent", "token_digest__gt"),
    ],
)
def test_the_address_cannot_feel_its_way_along_a_secret(
    owner: Any, label: str, lookup: str
) -> None:
    url = address(apps.get_model(label), "changelist")

    assert client_of(owner).get(url, {lookup: "a"}).status_code == 400


def test_the_page_of_an_organization_template_admin_holds_their_organization_only() -> None:
    add_one_of_everything()
    theirs = make_organization("theirs")
    tess = make_user(
        "tess", organization=theirs, organization_roles=[OrganizationRole.TEMPLATE_ADMIN]
    )
    template = make_template("their-template", organization=theirs)
    make_ready_prebuilds(preset_of(template), 1)
    client = client_of(tess)

    for label, number in (
        ("accounts.organization", 1),
        ("accounts.membership", 1),
        ("templates_app.template", 1),
        ("templates_app.templateversion", 1),
        ("templates_app.preset", 1),
        ("workspaces.workspace", 1),
        ("workspaces.workspacebuild", 1),
        ("workspaces.provisionerjob", 1),
        ("workspaces.agent", 1),
        ("prebuilds.claim", 0),
        ("prebuilds.reconciledecision", 0),
    ):
        page = client.get(address(apps.get_model(label), "changelist"))
        assert page.status_code == 200, label
        assert page.context["cl"].result_count == number, label


def test_rows_of_another_organization_do_not_exist_for_an_organization_admin() -> None:
    add_one_of_everything()
    theirs = make_organization("theirs")
    client = client_of(make_user(organization=theirs, organization_roles=[OrganizationRole.ADMIN]))

    for label in ("templates_app.preset", "workspaces.workspace", "accounts.group"):
        row = first_row(apps.get_model(label))
        page = client.get(address(row, "change", row.pk))
        assert page.status_code == 302, label
        assert page["Location"] == reverse("admin:index")


def test_an_organization_admin_does_not_see_site_wide_pages() -> None:
    client = client_of(make_user(organization_roles=[OrganizationRole.ADMIN]))

    for label in ("accounts.token", "prebuilds.prebuildssettings", "prebuilds.reconcilerun"):
        assert client.get(address(apps.get_model(label), "changelist")).status_code == 403


def test_filters_name_nothing_of_another_organization() -> None:
    add_one_of_everything()
    theirs = make_organization("theirs")
    for name in ("their-first", "their-second"):
        make_template(name, organization=theirs)
    make_template("hidden-from-them", organization=make_organization())
    tess = make_user(organization=theirs, organization_roles=[OrganizationRole.TEMPLATE_ADMIN])

    page = client_of(tess).get(address(apps.get_model("templates_app.preset"), "changelist")).text

    assert "their-second" in page
    assert "hidden-from-them" not in page


def test_the_index_lists_what_one_may_see(owner: Any) -> None:
    page = client_of(owner).get(reverse("admin:index")).text

    assert "Presets" in page
    assert "Scheduled tasks" in page


def test_the_pages_wear_the_house_colours_and_lead_back(owner: Any) -> None:
    page = client_of(owner).get(reverse("admin:index")).text

    assert "css/admin.css" in page
    assert "js/theme.js" in page
    assert "Back to Pools" in page


def test_no_page_needs_what_the_content_security_policy_forbids(owner: Any) -> None:
    add_one_of_everything()
    client = client_of(owner)

    for model in PAGES:
        for url in (address(model, "changelist"), pages_of(model)[0]):
            response = client.get(url)
            assert "style-src 'self'" in response["Content-Security-Policy"]
            for forbidden in (" style=", "<style", "<script>", " onclick=", "javascript:"):
                assert forbidden not in response.text, url


def test_runs_can_be_walked_by_date(owner: Any) -> None:
    ReconcileRun.objects.create(
        trigger="bell", started_at=timezone.now() - timedelta(days=90), completed_at=None
    )
    add_one_of_everything()

    page = client_of(owner).get(address(ReconcileRun, "changelist"))

    assert "unfinished" in page.text
