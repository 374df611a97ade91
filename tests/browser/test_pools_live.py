"""The pools page stays true by itself: changes, a lost server, a hidden tab."""

import re
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from django.db import OperationalError
from playwright.sync_api import Page, expect

from prebuilds.dashboard.base.sessions import SessionStore
from tests.browser.conftest import Site, Watcher
from tests.integration.prebuilds.dashboard.house import House, add_workspace, set_agent

SignIn = Callable[..., Page]
WITHIN_MS = 2_000
LONG_MS = 20_000


def wait_until_live(page: Page) -> None:
    """Wait for the look that follows the opening of the stream."""
    with page.expect_response("**/pools/table"):
        page.goto("/")


def test_a_change_shows_within_two_seconds_without_a_reload(house: House, sign_in: SignIn) -> None:
    add_workspace(house.preset)
    slow = add_workspace(house.preset, agent="starting")
    page = sign_in("ana")
    wait_until_live(page)
    page.evaluate("window.stayed = true")
    expect(page.get_by_role("img", name="2 desired: 1 ready and 1 not ready yet")).to_be_visible()

    set_agent(slow, "ready")

    expect(page.get_by_role("heading", name="The pool is warm")).to_be_visible(timeout=WITHIN_MS)
    assert page.evaluate("window.stayed") is True


def test_the_change_is_announced_once(house: House, sign_in: SignIn) -> None:
    slow = add_workspace(house.preset, agent="starting")
    add_workspace(house.preset)
    page = sign_in("ana")
    wait_until_live(page)

    set_agent(slow, "ready")

    expect(page.locator("#announcer")).to_have_text("The pool is warm", timeout=WITHIN_MS)


def test_focus_and_scroll_survive_a_change(house: House, sign_in: SignIn) -> None:
    page = sign_in("ana", viewport={"width": 400, "height": 300})
    wait_until_live(page)
    page.get_by_role("link", name="Small").focus()
    page.evaluate("window.scrollTo(0, 200)")

    with page.expect_response("**/pools/table"):
        add_workspace(house.preset)

    expect(page.get_by_role("img", name="2 desired: 1 ready")).to_have_count(1)
    expect(page.get_by_role("link", name="Small")).to_be_focused()
    assert page.evaluate("window.scrollY") > 0


def test_a_burst_of_changes_causes_few_requests(house: House, sign_in: SignIn) -> None:
    page = sign_in("ana")
    wait_until_live(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "table" in request.url else 0)

    for _ in range(20):
        add_workspace(house.preset)

    expect(page.get_by_role("img", name="2 desired: 20 ready")).to_have_count(1)
    assert len(asked) <= 8


def test_a_lost_server_is_said_and_recovered_from_without_a_reload(
    house: House, sign_in: SignIn, site: Site, watcher: Watcher
) -> None:
    watcher.expected = ("Failed to load resource", "Failed to fetch", "htmx:error", "ERR_")
    page = sign_in("ana")
    wait_until_live(page)
    page.evaluate("window.stayed = true")
    banner = page.locator("#stale-banner")
    expect(banner).to_be_hidden()

    site.stop()
    expect(banner).to_contain_text("stale since")
    add_workspace(house.preset)
    site.start()

    expect(banner).to_be_hidden()
    expect(page.get_by_role("img", name="2 desired: 1 ready")).to_have_count(1)
    assert page.evaluate("window.stayed") is True


def test_a_hidden_tab_is_quiet_and_looks_again_when_shown(house: House, sign_in: SignIn) -> None:
    page = sign_in("ana")
    wait_until_live(page)
    hide = """hidden => {
        Object.defineProperty(document, "hidden", {get: () => hidden, configurable: true});
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(hide, True)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "table" in request.url else 0)

    add_workspace(house.preset)
    page.wait_for_timeout(1_000)
    assert asked == []

    page.evaluate(hide, False)
    expect(page.get_by_role("img", name="2 desired: 1 ready")).to_have_count(1, timeout=WITHIN_MS)


def test_an_ended_session_leads_to_the_sign_in_page(
    house: House, sign_in: SignIn, watcher: Watcher
) -> None:
    watcher.expected = ("401", "Failed to load resource")
    page = sign_in("ana")
    wait_until_live(page)
    page.context.clear_cookies()

    add_workspace(house.preset)

    page.wait_for_url("**/sign-in/?next=**")


def test_times_are_the_readers(house: House, sign_in: SignIn) -> None:
    page = sign_in("ana", timezone_id="Asia/Tokyo")
    wait_until_live(page)

    shown = page.locator("#verdict .as-of time")
    at = datetime.fromisoformat(shown.get_attribute("datetime") or "")
    local = at.astimezone(ZoneInfo("Asia/Tokyo"))
    expect(shown).to_have_text(local.strftime("%H:%M:%S"))
    assert str(local.year) in (shown.get_attribute("title") or "")


def test_a_database_that_is_away_leaves_what_is_shown_and_is_said_as_stale(
    house: House,
    sign_in: SignIn,
    watcher: Watcher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watcher.expected = ("503", "Failed to load resource", "htmx:error")
    add_workspace(house.preset)
    page = sign_in("ana")
    wait_until_live(page)
    page.evaluate("window.stayed = true")
    banner = page.locator("#stale-banner")
    pool = page.get_by_role("img", name="2 desired: 1 ready")
    expect(pool).to_have_count(1)

    with monkeypatch.context() as away:
        away.setattr(SessionStore, "load", lose_connection)
        add_workspace(house.preset)
        expect(banner).to_contain_text(re.compile("Trying again every [24] s"), timeout=LONG_MS)
        since = (banner.text_content() or "").partition("Trying")[0].strip()
        expect(banner).to_contain_text("Trying again every 8 s", timeout=LONG_MS)
        expect(banner).to_contain_text(since)
        expect(pool).to_have_count(1)
        expect(page.get_by_text("database")).to_have_count(0)

    expect(banner).to_be_hidden(timeout=LONG_MS)
    expect(page.get_by_role("img", name="2 desired: 2 ready")).to_have_count(1, timeout=LONG_MS)
    assert page.evaluate("window.stayed") is True


def lose_connection(*_: object) -> None:
    raise OperationalError("server closed the connection unexpectedly")
