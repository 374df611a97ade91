"""By the keyboard alone to anything one knows a part of the name of."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.integration.prebuilds.dashboard.house import House, add_workspace


@pytest.fixture
def admin(sign_in: Callable[..., Page]) -> Page:
    return sign_in("ana")


def test_slash_finds_a_workspace_and_enter_opens_it(admin: Page, house: House) -> None:
    workspace = add_workspace(house.preset, owner_id=house.admin.pk, name="api-server")
    admin.goto("/")

    admin.keyboard.press("/")
    expect(admin.locator("#palette-text")).to_be_focused()
    admin.keyboard.type("api-s")
    expect(admin.locator(".palette-label")).to_have_text(["api-server"])
    admin.keyboard.press("Enter")

    admin.wait_for_url(f"**/workspaces/{workspace.pk}/")


def test_arrows_move_and_escape_closes(admin: Page, house: House) -> None:
    admin.goto("/")
    admin.keyboard.press("Control+k")
    chosen = admin.locator('.palette-place[aria-selected="true"] .palette-label')
    expect(chosen).to_have_text("Pools")

    admin.keyboard.press("ArrowDown")
    expect(chosen).to_have_text("Templates")
    admin.keyboard.press("Escape")

    expect(admin.locator("#palette")).to_be_hidden()


def test_letters_typed_into_a_field_are_only_letters(admin: Page, house: House) -> None:
    admin.goto("/workspaces/")

    admin.locator("#q").fill("")
    admin.locator("#q").press_sequentially("/?c")

    expect(admin.locator("#q")).to_have_value("/?c")
    expect(admin.locator("#palette")).to_be_hidden()


def test_the_question_mark_shows_the_keys(admin: Page, house: House) -> None:
    admin.goto("/")

    admin.keyboard.press("?")

    expect(admin.locator("#keys")).to_be_visible()
    admin.keyboard.press("Escape")
    expect(admin.locator("#keys")).to_be_hidden()
