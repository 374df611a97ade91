"""The list of templates and the page of one: what they say, to whom, at what cost."""

import csv
import io
import json
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from prebuilds import selectors
from templates_app.models import Preset, PresetSchedule, Template, TemplateVersion
from templates_app.services import deprecate_template
from tests.factories import (
    make_organization,
    make_ready_prebuilds,
    make_template,
    make_user,
    make_workspace,
    promote_new_version,
)
from tests.integration.prebuilds.dashboard.house import House, add_preset, add_workspace
from tests.integration.prebuilds.dashboard.visitors import client_of, text_of, visitor
from workspaces.models import Workspace

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])

LIST = "/templates/"


def url_of(template: Template, rest: str = "") -> str:
    return f"/templates/{template.pk}/{rest}"


def names(response) -> list[str]:
    return [view.row.template.name for view in response.context["listing"].rows]


def row_of(response, template: Template):
    (found,) = [
        view.row for view in response.context["listing"].rows if view.row.template.pk == template.pk
    ]
    return found


def deprecate(template: Template, message: str = "Use the other one.") -> None:
    from accounts.audit import THE_SYSTEM

    deprecate_template(
        template_id=template.pk, message=message, actor=THE_SYSTEM, now=timezone.now()
    )


def mark_deleted(template: Template) -> None:
    Template.objects.filter(pk=template.pk).update(deleted_at=timezone.now())


def mix_up(house: House) -> None:
    """Give the house's pool a prebuild of every kind, and a pool with a schedule beside it."""
    now = timezone.now()
    invalidated = now - timedelta(minutes=30)
    Preset.objects.filter(pk=house.preset.pk).update(
        last_invalidated_at=invalidated, ttl_seconds=3600
    )
    add_workspace(house.preset)
    add_workspace(house.preset, created_at=now - timedelta(hours=2))
    add_workspace(house.preset, created_at=now - timedelta(minutes=40))
    add_workspace(house.preset, agent="starting")
    add_workspace(house.preset, agent="")
    add_workspace(house.preset, agent="", finished=False)
    add_workspace(house.preset, agent="", error="boom")
    add_workspace(house.preset, owner_id=house.member.pk, name="mine")
    other = add_preset(house.template, "Large", 1)
    PresetSchedule.objects.create(preset=other, cron_expression="* * * * *", desired_instances=4)
    add_workspace(other)
    add_preset(house.template, "Poolless", 0)
    Preset.objects.filter(name="Poolless").update(desired_instances=None)


def test_a_template_shows_its_numbers_and_how_it_stands(admin_client: Client, house: House) -> None:
    mix_up(house)

    page = admin_client.get(LIST)

    row = row_of(page, house.template)
    assert (row.pools, row.counts.ready, row.desired, row.counts.people) == (2, 2, 6, 1)
    assert row.status.word == "Active"
    assert "2 of 6" in page.text
    assert f'href="{url_of(house.template)}"' in page.text
    assert "organization%3A%22default%22" in page.text


def test_ready_and_desired_are_what_a_cycle_means_by_them(
    admin_client: Client, house: House
) -> None:
    mix_up(house)
    seen = {pool.preset_id: pool for pool in selectors.list_pools(now=timezone.now()).pools}

    overview = admin_client.get(url_of(house.template)).context["overview"]

    said = {
        row.pool.preset.pk: (row.counts.ready, row.pool.desired, row.counts.starting)
        for row in overview.pools
        if row.pool.desired is not None
    }
    assert said == {key: (one.ready, one.desired, one.starting) for key, one in seen.items()}


def test_a_deprecated_template_drains_until_nothing_is_left(
    admin_client: Client, house: House
) -> None:
    workspace = add_workspace(house.preset)
    deprecate(house.template)

    before = row_of(admin_client.get(LIST), house.template)
    Workspace.objects.filter(pk=workspace.pk).update(deleted_at=timezone.now())
    after = row_of(admin_client.get(LIST), house.template)

    assert (before.status.word, before.status.detail) == (
        "Draining",
        "deprecated, 1 prebuild left",
    )
    assert (before.desired, before.counts.ready) == (0, 0)
    assert after.status.word == "Deprecated"


def test_a_deleted_template_is_listed_while_it_drains_and_when_asked_for(
    admin_client: Client, house: House
) -> None:
    workspace = add_workspace(house.preset)
    mark_deleted(house.template)

    draining = row_of(admin_client.get(LIST), house.template)
    Workspace.objects.filter(pk=workspace.pk).update(deleted_at=timezone.now())

    assert (draining.status.word, draining.status.detail) == (
        "Draining",
        "deleted, 1 prebuild left",
    )
    assert names(admin_client.get(LIST)) == []
    assert names(admin_client.get(f"{LIST}?status=deleted")) == [house.template.name]


def test_search_and_status_live_in_the_url_and_in_every_link(
    admin_client: Client, house: House
) -> None:
    make_template("go-service")
    gone = make_template("go-tool")
    deprecate(gone)

    found = admin_client.get(f"{LIST}?q=go&status=deprecated")

    assert names(admin_client.get(f"{LIST}?q=GO")) == ["go-service", "go-tool"]
    assert names(found) == ["go-tool"]
    assert "q=go&amp;status=deprecated&amp;format=csv" in found.text
    assert names(admin_client.get(f"{LIST}?q=nowhere")) == []


def test_a_heading_sorts_by_what_is_shown(admin_client: Client, house: House) -> None:
    few, many = make_template("a-few"), make_template("b-many")
    make_workspace(house.member, template=many)

    ascending = names(admin_client.get(f"{LIST}?sort=workspaces"))
    descending = names(admin_client.get(f"{LIST}?sort=-workspaces"))

    assert ascending == [few.name, house.template.name, many.name]
    assert descending[0] == many.name


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_an_export_holds_all_matching_rows(admin_client: Client, house: House, kind: str) -> None:
    make_template("go-service")

    response = admin_client.get(f"{LIST}?q=go&format={kind}")

    text = b"".join(response.streaming_content).decode()
    rows = list(csv.DictReader(io.StringIO(text))) if kind == "csv" else json.loads(text)
    assert [(row["name"], int(row["desired"]), row["status"]) for row in rows] == [
        ("go-service", 2, "active")
    ]


def test_without_a_template_the_page_says_how_to_add_one(house: House) -> None:
    mark_deleted(house.template)

    admin, member = visitor("template admin").get(LIST), visitor("member").get(LIST)

    assert "No template yet" in admin.text
    assert 'href="/templates/new/"' in admin.text
    assert "A template admin of your organization can add one" in member.text
    assert 'href="/templates/new/"' not in member.text


@pytest.mark.parametrize(
    ("kind", "changes", "sees_workspaces"),
    [
        ("owner", True, True),
        ("template admin", True, True),
        ("organization admin", True, True),
        ("auditor", False, True),
        ("member", False, False),
    ],
)
def test_everybody_sees_what_they_may(
    house: House, kind: str, changes: bool, sees_workspaces: bool
) -> None:
    client = visitor(kind)
    old = house.template.active_version
    promote_new_version(house.template)

    page = client.get(url_of(house.template))

    assert page.status_code == 200
    assert ("New version" in page.text) is changes
    assert (f"versions/{old.pk}/promote" in page.text) is changes
    assert ("All workspaces of this template" in page.text) is sees_workspaces
    assert ('href="/templates/new/"' in client.get(LIST).text) is changes


@pytest.mark.parametrize("kind", ["member elsewhere", "user admin", "stranger"])
def test_others_do_not_learn_that_a_template_exists(house: House, kind: str) -> None:
    client = visitor("member elsewhere") if kind == "user admin" else visitor(kind)
    expected = 302 if kind == "stranger" else 404

    for rest in ("", "state", "delete", "settings", "versions/new"):
        assert client.get(url_of(house.template, rest)).status_code == expected, rest
    listing = client.get(LIST)
    assert listing.status_code == (302 if kind == "stranger" else 200)
    assert house.template.name not in listing.text


def test_a_template_of_another_organization_stays_hidden_in_exports(house: House) -> None:
    make_template("secret-one", organization=make_organization())
    client = client_of(make_user())

    text = b"".join(client.get(f"{LIST}?format=csv").streaming_content).decode()

    assert "python-service" in text
    assert "secret-one" not in text


def test_the_page_shows_versions_with_what_is_made_from_each(
    admin_client: Client, house: House
) -> None:
    add_workspace(house.preset)
    old = house.template.active_version
    promote_new_version(house.template)
    make_ready_prebuilds(Preset.objects.get(version__name="2.0.0"), 2)

    page = admin_client.get(url_of(house.template))

    rows = {row.version.name: row for row in page.context["overview"].versions}
    assert (rows["v1"].counts.prebuilds, rows["2.0.0"].counts.prebuilds) == (1, 2)
    assert [rows["v1"].is_active, rows["2.0.0"].is_active] == [False, True]
    text = text_of(page)
    assert "draining</span>" in text
    assert f"/versions/{old.pk}/promote" in text
    assert "owner%3Aprebuilds+version%3A%22v1%22" in text


def test_a_deleted_template_shows_how_far_it_is_emptied(admin_client: Client, house: House) -> None:
    gone, _ = add_workspace(house.preset), add_workspace(house.preset)
    mark_deleted(house.template)
    Workspace.objects.filter(pk=gone.pk).update(deleted_at=timezone.now())

    page = admin_client.get(url_of(house.template))
    Workspace.objects.update(deleted_at=timezone.now())
    done = admin_client.get(url_of(house.template, "state"))

    assert "1 of 2 gone</strong>, 1 left" in text_of(page)
    assert '<progress class="progress drain-progress" value="1" max="2"' in text_of(page)
    assert "all 2 are removed" in text_of(done)
    assert "<html" not in done.text
    assert "New version" not in page.text


def test_a_name_that_is_markup_is_text(admin_client: Client, house: House) -> None:
    Template.objects.filter(pk=house.template.pk).update(
        display_name="<b>bold</b>", description="<b>words</b>", deprecation_message="<b>no</b>"
    )
    TemplateVersion.objects.create(
        template=house.template, name="<b>v</b>", message="<b>m</b>", created_by=house.admin
    )
    Preset.objects.filter(pk=house.preset.pk).update(name="<b>p</b>")

    for address in (LIST, url_of(house.template)):
        page = admin_client.get(address)
        assert "<b>" not in page.text
        assert "&lt;b&gt;bold" in page.text


def test_the_list_costs_the_same_however_many_templates_there_are(
    admin_client: Client, house: House, django_assert_max_num_queries
) -> None:
    for _ in range(12):
        make_template(presets=[])
    mix_up(house)

    with django_assert_max_num_queries(8):
        admin_client.get(LIST)
    with django_assert_max_num_queries(5):  # two of them: who it is
        admin_client.get(f"{LIST}table")


def test_the_page_costs_the_same_however_many_versions_there_are(
    admin_client: Client, house: House, django_assert_max_num_queries
) -> None:
    for number in range(12):
        promote_new_version(house.template, f"1.{number}")
    mix_up(house)

    with django_assert_max_num_queries(9):
        admin_client.get(url_of(house.template))
    with django_assert_max_num_queries(6):  # two of them: who it is
        admin_client.get(url_of(house.template, "state"))


def test_old_versions_are_behind_a_link(admin_client: Client, house: House) -> None:
    TemplateVersion.objects.bulk_create(
        TemplateVersion(template=house.template, name=f"n{number}", created_by=house.admin)
        for number in range(60)
    )

    some = admin_client.get(url_of(house.template))
    every = admin_client.get(url_of(house.template) + "?versions=all")

    assert len(some.context["overview"].versions) == 50
    assert "Show all versions" in some.text
    assert len(every.context["overview"].versions) == 61
