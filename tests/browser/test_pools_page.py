"""The table of pools in a real browser: search, menus and folded causes survive a refresh."""

from collections.abc import Callable

from django.utils import timezone
from playwright.sync_api import Page, expect

from prebuilds.models import Notice
from templates_app.models import Preset
from tests.integration.prebuilds.dashboard.house import House, add_preset, add_workspace

SignIn = Callable[..., Page]


def wait_until_live(page: Page) -> None:
    """Wait for the look that follows the opening of the stream."""
    with page.expect_response("**/pools/table*"):
        page.goto("/")


def test_the_table_follows_what_is_typed_and_so_do_the_url_and_refreshes(
    house: House, sign_in: SignIn
) -> None:
    large = add_preset(house.template, "Large", 1)
    page = sign_in("ana")
    wait_until_live(page)

    page.get_by_role("searchbox", name="Find pools").press_sequentially("lar", delay=30)

    expect(page.locator(".pool-row")).to_have_count(1)
    page.wait_for_url("**/?q=lar")
    with page.expect_response("**/pools/table?q=lar"):
        add_workspace(large)
    expect(page.get_by_role("img", name="1 desired: 1 ready")).to_be_visible()
    expect(page.get_by_role("searchbox", name="Find pools")).to_have_value("lar")
    page.reload()
    expect(page.locator(".pool-row")).to_have_count(1)


def test_an_open_menu_and_a_folded_out_cause_stay_open_over_a_refresh(
    house: House, sign_in: SignIn
) -> None:
    Notice.objects.create(
        kind="hard_limited",
        organization=house.organization,
        preset=house.preset,
        detail="It ended with 1.\npulling the image\nno such image",
        opened_at=timezone.now(),
    )
    page = sign_in("ana")
    wait_until_live(page)
    page.locator(".cause summary").click()
    menu = page.get_by_label("Actions: python-service / Small")
    menu.click()

    with page.expect_response("**/pools/table*"):
        add_workspace(house.preset)

    expect(page.get_by_role("img", name="2 desired: 1 ready")).to_be_visible()
    expect(page.get_by_text("pulling the image")).to_be_visible()
    expect(page.locator(".menu-list").get_by_role("link", name="Invalidate")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".menu-list").get_by_role("link", name="Invalidate")).to_be_hidden()


def test_a_number_is_set_for_all_matching_pools_from_the_dialog(
    house: House, sign_in: SignIn
) -> None:
    page = sign_in("ana")
    wait_until_live(page)
    page.locator("#bulk-menu summary").click()
    page.locator("#bulk-desired").click()

    dialog = page.locator("#dialog")
    expect(dialog).to_contain_text("python-service / Small")
    dialog.get_by_label("Desired instances").fill("3")
    dialog.get_by_role("button", name="Set").click()

    expect(page.locator("#toasts")).to_contain_text("1 pool: 3 prebuilds desired in each.")
    assert Preset.objects.get().desired_instances == 3


def test_a_pause_appears_on_an_open_page_and_can_be_ended_there(
    house: House, sign_in: SignIn
) -> None:
    page, other = sign_in("ana"), sign_in("ana")
    wait_until_live(page)
    banner = page.locator("#pause-banner")
    expect(banner).to_be_hidden()

    other.locator("#pause").click()
    other.get_by_label("Why").fill("flooded queue")
    other.locator("#dialog").get_by_role("button", name="Pause").click()
    add_workspace(house.preset)

    expect(banner).to_contain_text("flooded queue")
    banner.get_by_role("link", name="Resume").click()
    page.locator("#dialog").get_by_role("button", name="Resume").click()
    expect(page.locator("#toasts")).to_contain_text("Resumed")
    expect(page.locator("#pause-banner")).to_be_hidden()
