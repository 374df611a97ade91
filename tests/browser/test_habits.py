"""What every page must do: fit a small screen, work by keyboard, keep to its own host."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PASSWORD, Site
from tests.integration.prebuilds.dashboard.house import House, add_preset, add_workspace

SignIn = Callable[..., Page]
ADDRESSES = (
    "/",
    "/?health=held",
    "/workspaces/",
    "/workspaces/?q=owner:prebuilds",
    "/workspaces/new/",
    "/templates/",
    "/templates/new/",
    "/notices/?state=all",
    "/audit/",
    "/settings/",
    "/people/",
    "/people/new",
    "/organizations/",
    "/account/",
)


@pytest.mark.parametrize("width", [320, 1280, 2560])
def test_no_page_scrolls_sideways(house: House, sign_in: SignIn, width: int) -> None:
    add_preset(house.template, "A pool with quite a long name-without-any-space-in-it", 40)
    workspace = add_workspace(house.preset, owner_id=house.admin.pk, name="a" * 32)
    add_workspace(house.preset)
    page = sign_in("ana", viewport={"width": width, "height": 800})

    of_preset = (f"/presets/{house.preset.pk}/", f"/presets/{house.preset.pk}/edit")
    for address in (*ADDRESSES, *of_preset, f"/workspaces/{workspace.pk}/"):
        page.goto(address)
        overhang = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(overhang) == 0, address


def test_the_navigation_opens_on_a_small_screen(house: House, sign_in: SignIn) -> None:
    page = sign_in("ana", viewport={"width": 320, "height": 800})

    page.get_by_role("button", name="Navigation").click()
    page.get_by_role("link", name="Workspaces").click()

    page.wait_for_url("**/workspaces/")


def test_the_keyboard_signs_in_and_reaches_the_main_actions(
    site: Site, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    page.goto("/")
    page.get_by_label("User name").focus()
    page.keyboard.type("ana")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site.url}/")

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    for name in ("Plan", "Reconcile now", "Pause", "Create workspace"):
        page.keyboard.press("Tab")
        expect(page.locator("main").get_by_role("link", name=name)).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/workspaces/new/")


def test_the_menu_signs_out(house: House, sign_in: SignIn) -> None:
    page = sign_in("ana")

    page.get_by_role("button", name="Your menu").click()
    page.get_by_role("button", name="Sign out").click()

    page.wait_for_url("**/sign-in/**")


def test_the_colours_follow_the_system_until_one_chooses(house: House, sign_in: SignIn) -> None:
    page = sign_in("ana", color_scheme="dark")
    html = page.locator("html")
    expect(html).to_have_attribute("data-bs-theme", "dark")

    page.get_by_role("button", name="Colours").click()
    page.get_by_role("button", name="Light").click()

    expect(html).to_have_attribute("data-bs-theme", "light")
    page.reload()
    expect(html).to_have_attribute("data-bs-theme", "light")


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_page_is_quiet(house: House, sign_in: SignIn, address: str) -> None:
    page = sign_in("ana")

    page.goto(address)

    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.wait_for_timeout(300)
