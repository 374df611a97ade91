"""One's own tokens in the browser: made in a dialog, shown once, copied, revoked by plan."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from accounts import selectors
from accounts.models import Token
from tests.browser.conftest import Watcher
from tests.integration.prebuilds.dashboard.house import House

SignIn = Callable[..., Page]


def test_a_token_is_made_copied_and_revoked(house: House, sign_in: SignIn) -> None:
    page = sign_in("ben", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Your menu").click()
    page.get_by_role("link", name="Account").click()

    page.get_by_role("link", name="New token").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Name")).to_be_focused()
    dialog.get_by_label("Name").fill("ci")
    dialog.get_by_role("button", name="Make token").click()
    secret = page.get_by_label("Token").input_value()
    page.get_by_role("button", name="Copy").click()

    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == secret
    token = Token.objects.get(digest=selectors.digest(secret))
    page.get_by_role("link", name="I have it").click()
    expect(page.get_by_role("table")).to_contain_text("ci")
    assert secret not in page.content()

    page.get_by_role("link", name="Revoke ci").click()
    expect(dialog).to_contain_text("refused from now on")
    dialog.get_by_role("button", name="Revoke").click()

    expect(page.get_by_text('The token "ci" works no more.')).to_be_visible()
    expect(page.get_by_text("You have no API token")).to_be_visible()
    token.refresh_from_db()
    assert token.revoked_at is not None


def test_a_wrong_input_has_the_focus_and_its_error(
    house: House, sign_in: SignIn, watcher: Watcher
) -> None:
    watcher.expected = ("422",)
    page = sign_in("ben")
    page.goto("/account/")

    page.get_by_role("link", name="Change password").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Present password").fill("correct horse")
    dialog.get_by_role("button", name="Change password").click()

    wrong = page.get_by_label("New password", exact=False).first
    expect(wrong).to_be_focused()
    expect(wrong).to_have_accessible_description(
        "At least 8 characters, not only digits, no common password, nothing like the user's name."
        " This field is required."
    )
