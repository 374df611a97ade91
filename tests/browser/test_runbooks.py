"""What somebody does when things go wrong, click by click; and a claim by the keyboard alone."""

from collections.abc import Callable

from django.utils import timezone
from playwright.sync_api import Page, expect

from prebuilds import reconciler
from prebuilds.conf import current_policy
from prebuilds.models import Trigger
from tests.integration.prebuilds.dashboard.house import House, add_workspace
from workspaces.models import ProvisionerJob, Workspace

SignIn = Callable[..., Page]


def run_cycle() -> None:
    reconciler.run_cycle(trigger=Trigger.COMMAND, policy=current_policy(), clock=timezone.now)


def test_a_hard_limited_pool_is_retried_from_the_card_and_its_pool_moves(
    house: House, sign_in: SignIn
) -> None:
    for _ in range(3):
        add_workspace(house.preset, agent="", error="no such image")
    run_cycle()
    page = sign_in("ana")
    with page.expect_response("**/pools/table*"):
        page.goto("/")
    card = page.get_by_role("region", name="Needs you")
    expect(card).to_contain_text("no such image")
    expect(page.locator(".pool-row")).to_contain_text("Hard-limited")

    card.get_by_role("link", name="Retry").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("create 2")
    dialog.get_by_role("button", name="Retry").click()
    expect(page.locator("#toasts")).to_contain_text("its failures are forgotten")
    page.goto("/")
    run_cycle()

    expect(page.locator(".pool-row")).to_contain_text("Filling")
    expect(card).to_be_hidden()
    waiting = ProvisionerJob.objects.filter(status="pending", build__transition="start")
    assert waiting.count() == 2


def test_a_pause_with_an_end_stands_on_every_page_until_it_is_ended(
    house: House, sign_in: SignIn
) -> None:
    page = sign_in("ana")
    page.goto("/settings/")
    page.get_by_role("link", name="Pause", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Why").fill("the registry moves")
    dialog.get_by_label("For how long").select_option(label="8 hours")
    dialog.get_by_role("button", name="Pause").click()

    banner = page.locator("#pause-banner")
    expect(page.locator("main").get_by_text("the registry moves")).to_be_visible()
    for address in ("/", "/workspaces/", f"/presets/{house.preset.pk}/", "/account/", "/audit/"):
        page.goto(address)
        expect(banner).to_contain_text("by Ana Lima")
        expect(banner).to_contain_text("until ")
        expect(banner).not_to_contain_text("until somebody resumes it")
        expect(banner).to_contain_text("the registry moves")
    run_cycle()
    assert not Workspace.objects.exists()

    banner.get_by_role("link", name="Resume").click()
    expect(dialog).to_contain_text("create 2")
    dialog.get_by_role("button", name="Resume").click()
    expect(page.locator("#toasts")).to_contain_text("Resumed")
    expect(banner).to_be_hidden()
    run_cycle()
    assert Workspace.objects.count() == 2


def test_a_ready_workspace_is_claimed_by_the_keyboard_alone(house: House, sign_in: SignIn) -> None:
    prebuild = add_workspace(house.preset)
    page = sign_in("ben")

    tab_to(page, "Create workspace")
    page.keyboard.press("Enter")
    page.wait_for_url("**/workspaces/new/**")
    tab_to(page, "Name")
    page.keyboard.type("api")
    page.keyboard.press("Enter")

    page.wait_for_url(f"**/workspaces/{prebuild.pk}/")
    expect(page.get_by_text("api is yours: it was ready before you asked.")).to_be_visible()


def tab_to(page: Page, name: str, *, at_most: int = 40) -> None:
    """Press Tab until what has this name (or this label) has the focus."""
    focused = """() => {
        const at = document.activeElement;
        return at.labels?.[0]?.textContent.trim() || at.textContent.trim();
    }"""
    for _ in range(at_most):
        page.keyboard.press("Tab")
        if page.evaluate(focused) == name:
            return
    raise AssertionError(f"Tab does not reach {name}")
