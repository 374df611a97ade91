"""A member gets a workspace, sees it come up, stops it."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import Watcher
from tests.integration.prebuilds.dashboard.house import House, add_workspace

SignIn = Callable[..., Page]


def test_creating_takes_a_ready_prebuild(house: House, sign_in: SignIn) -> None:
    prebuild = add_workspace(house.preset)
    page = sign_in("ben")
    page.get_by_role("link", name="Create workspace").first.click()
    expect(page.get_by_text("1 workspace ready now")).to_be_visible()
    page.get_by_label("Name").fill("api")

    page.locator("main").get_by_role("button", name="Create workspace").click()

    page.wait_for_url(f"**/workspaces/{prebuild.pk}/")
    expect(page.get_by_role("heading", name="api", exact=True)).to_be_visible()
    expect(page.get_by_text("api is yours: it was ready before you asked.")).to_be_visible()
    expect(page.get_by_text("Claimed by Ben Okafor")).to_be_visible()
    prebuild.refresh_from_db()
    assert prebuild.owner == house.member


def test_choosing_own_values_opens_the_inputs_and_keeps_what_was_typed(
    house: House, sign_in: SignIn
) -> None:
    page = sign_in("ben")
    page.goto("/workspaces/new/")
    page.get_by_label("Name").fill("half-typed")
    page.get_by_label("cpus").fill("7")

    page.get_by_label("Own values").check()

    expect(page.get_by_label("region")).to_be_visible()
    expect(page.get_by_label("Name")).to_have_value("half-typed")
    expect(page.get_by_label("cpus")).to_have_value("7")


def test_a_taken_name_is_said_at_the_input(house: House, sign_in: SignIn, watcher: Watcher) -> None:
    watcher.expected = ("422",)
    add_workspace(house.preset, owner_id=house.member.pk, name="api")
    page = sign_in("ben")
    page.goto("/workspaces/new/")
    page.get_by_label("Name").fill("api")

    page.locator("main").get_by_role("button", name="Create workspace").click()

    expect(page.locator("#name-error")).to_contain_text("api")
    expect(page.get_by_label("Name")).to_be_focused()


def test_stopping_says_what_will_happen_first(house: House, sign_in: SignIn) -> None:
    workspace = add_workspace(house.preset, owner_id=house.member.pk, name="api")
    page = sign_in("ben")
    page.goto(f"/workspaces/{workspace.pk}/")

    page.get_by_role("button", name="Stop").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("You can start it again at any time")
    dialog.get_by_role("button", name="Stop").click()

    expect(page.get_by_text("api is stopping.")).to_be_visible()
    expect(page.locator("[data-announce]")).to_have_text("Stop is queued")


def test_deleting_can_be_called_off(house: House, sign_in: SignIn) -> None:
    workspace = add_workspace(house.preset, owner_id=house.member.pk, name="api")
    page = sign_in("ben")
    page.goto(f"/workspaces/{workspace.pk}/")

    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Keep as it is").click()

    expect(page.get_by_role("dialog")).to_be_hidden()
    workspace.refresh_from_db()
    assert workspace.latest_build.transition == "start"


def test_the_page_follows_the_build(house: House, sign_in: SignIn) -> None:
    workspace = add_workspace(
        house.preset, owner_id=house.member.pk, name="api", agent="", finished=False
    )
    page = sign_in("ben")
    with page.expect_response("**/state"):
        page.goto(f"/workspaces/{workspace.pk}/")
    expect(page.locator("[data-announce]")).to_have_text("Building")

    job = workspace.latest_build.job
    type(job).objects.filter(pk=job.pk).update(
        completed_at=job.started_at, error="exit code 3", error_code="script_failed"
    )

    expect(page.locator("[data-announce]")).to_have_text("Start failed", timeout=2_000)
    expect(page.get_by_role("alert")).to_contain_text("exit code 3")
