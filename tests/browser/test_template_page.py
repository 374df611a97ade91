"""Templates in a browser: promoting by its plan, and a version's form that loses nothing."""

import re
from collections.abc import Callable

from django.utils import timezone
from playwright.sync_api import Page, expect

from templates_app.models import Template, TemplateVersion
from templates_app.services import PresetSpec, VersionSpec, create_version
from tests.browser.conftest import Watcher
from tests.integration.prebuilds.dashboard.house import House, add_workspace

SignIn = Callable[..., Page]


def test_a_version_is_promoted_by_its_plan(house: House, sign_in: SignIn) -> None:
    add_workspace(house.preset)
    create_version(
        template=house.template,
        created_by=house.admin,
        spec=VersionSpec(name="2.0.0", presets=(PresetSpec(name="Small", desired_instances=3),)),
    )
    page = sign_in("ana")
    page.get_by_role("link", name="Templates").click()
    page.get_by_role("link", name="Python service").click()

    page.get_by_role("link", name="Promote 2.0.0").click()
    dialog = page.get_by_role("dialog", name="Promote 2.0.0 of Python service")
    expect(dialog).to_contain_text("delete 1 prebuild and build 3 prebuilds")
    dialog.get_by_role("button", name="Leave as it is").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("row", name="v1")).to_contain_text("active")
    page.get_by_role("link", name="Promote 2.0.0").click()
    dialog.get_by_role("button", name="Promote").click()

    expect(page.get_by_text("2.0.0 is the active version of Python service.")).to_be_visible()
    expect(page.get_by_role("row", name="2.0.0")).to_contain_text("active")
    expect(page.get_by_role("row", name="v1")).to_contain_text("draining")
    assert Template.objects.get().active_version.name == "2.0.0"


def test_a_versions_form_keeps_what_is_typed_and_takes_one_to_the_error(
    house: House, sign_in: SignIn, watcher: Watcher
) -> None:
    watcher.expected = ("422",)
    page = sign_in("ana")
    page.goto(f"/templates/{house.template.pk}/versions/new")
    page.get_by_label("Message", exact=True).fill("half-typed")

    page.get_by_role("button", name="Add a file").click()
    page.get_by_label("Path", exact=True).fill("/etc/passwd")
    page.get_by_role("button", name="Add a tag").click()
    expect(page.get_by_label("Tag", exact=True)).to_be_visible()
    page.get_by_role("button", name="Remove the tag").click()
    expect(page.get_by_label("Tag", exact=True)).to_be_hidden()
    expect(page.get_by_label("Message", exact=True)).to_have_value("half-typed")
    expect(page.get_by_label("Path", exact=True)).to_have_value("/etc/passwd")

    page.get_by_label("Path", exact=True).press("Enter")
    expect(page.get_by_text("is no path inside the workspace")).to_be_visible()
    expect(page.get_by_label("Path", exact=True)).to_be_focused()
    page.get_by_label("Path", exact=True).fill("a.txt")
    page.get_by_role("button", name="Make the version").last.click()

    page.wait_for_url(re.compile(r"/versions/[0-9a-f-]{36}/$"))
    expect(page.get_by_text("v2 is made. It is not active yet")).to_be_visible()
    assert TemplateVersion.objects.get(name="v2").source_files == {"a.txt": ""}


def test_the_headers_buttons_follow_what_somebody_else_does(house: House, sign_in: SignIn) -> None:
    page = sign_in("ana")
    with page.expect_response("**/state"):
        page.goto(f"/templates/{house.template.pk}/")
    page.get_by_role("link", name="Invalidate all prebuilds").focus()

    Template.objects.update(deprecation_message="Use the other one.")

    expect(page.get_by_role("link", name="Take back deprecation")).to_be_visible()
    expect(page.get_by_role("link", name="Deprecate", exact=True)).to_have_count(0)
    expect(page.get_by_role("link", name="Invalidate all prebuilds")).to_be_focused()
    Template.objects.update(deleted_at=timezone.now())
    expect(page.get_by_role("link", name="Delete", exact=True)).to_have_count(0)
    expect(page.locator("#draining")).to_be_visible()


def test_a_preset_is_added_to_the_active_version_with_a_picked_schedule(
    house: House, sign_in: SignIn
) -> None:
    page = sign_in("ana")
    page.goto(f"/templates/{house.template.pk}/")
    page.get_by_role("link", name="Add preset").click()
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type("Large")
    page.get_by_label("Desired instances", exact=True).fill("1")
    page.get_by_role("button", name="Add a row").click()
    row = page.locator("[data-schedule-row]")
    row.get_by_role("button", name="Weekdays").click()
    row.get_by_label("Desired instances in these hours").fill("3")
    expect(row.locator("[data-row-words]")).to_have_text("Mon to Fri, all day → 3")

    page.get_by_role("button", name="Add the preset").last.click()

    expect(page.get_by_text("Added: python-service / Large.")).to_be_visible()
    added = house.template.active_version.presets.get(name="Large")
    assert added.schedules.get().cron_expression == "* * * * 1-5"
    page.get_by_role("link", name="Edit", exact=True).click()
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("python-service / Large is deleted.")).to_be_visible()
    assert house.template.active_version.presets.count() == 1
