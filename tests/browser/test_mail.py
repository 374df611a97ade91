"""A mail in the browser: its frame keeps its looks under the strict policy, and its link works."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from prebuilds.mail import preferences
from prebuilds.models import Mail
from tests.integration.prebuilds.dashboard.house import House
from tests.integration.prebuilds.mailing import open_notice

SignIn = Callable[..., Page]


def test_a_mail_is_shown_with_its_looks_and_stopped_by_its_link(
    house: House, sign_in: SignIn, settings
) -> None:
    settings.DEBUG = True
    house.admin.email = "ana@example.com"
    house.admin.save()
    open_notice(house.preset, detail="<script>document.title = 'broken'</script>")
    page = sign_in("ana")

    page.goto("/account/mail/")
    page.get_by_role("link", name="All mails").click()
    page.get_by_role("link", name="Python service / Small").click()
    frame = page.frame_locator("iframe")

    expect(frame.get_by_role("heading")).to_have_text("Stopped after repeated failures")
    expect(frame.get_by_role("link", name="Open Python service")).to_have_css(
        "background-color", "rgb(31, 95, 191)"
    )
    expect(frame.locator("pre")).to_contain_text("<script>")

    page.context.clear_cookies()
    page.goto(f"/mail/unsubscribe/{preferences.sign_unsubscribe(house.admin.pk, 'incidents')}/")
    page.get_by_role("button", name="Stop them").click()

    expect(page.get_by_role("status")).to_have_text("Stopped")
    assert not preferences.preference_of(house.admin).incidents
    assert Mail.objects.count() == 1
