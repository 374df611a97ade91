"""Templates in a browser: promoting by its plan, and a version's form that loses nothing."""

import re
from collections.abc import Callable

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
