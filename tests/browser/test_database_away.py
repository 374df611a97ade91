"""The page that stands in while the database is away."""

from collections.abc import Callable

import pytest
from django.db import OperationalError
from playwright.sync_api import Page, expect

from prebuilds.dashboard.base.sessions import SessionStore
from tests.browser.conftest import Watcher
from tests.integration.prebuilds.dashboard.house import House

LONG_MS = 20_000


def test_it_gives_way_to_what_was_asked_for_by_itself(
    house: House, sign_in: Callable[..., Page], watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher.expected = ("503",)
    page = sign_in("ana", viewport={"width": 320, "height": 640})

    with monkeypatch.context() as away:
        away.setattr(SessionStore, "load", lose_connection)
        page.goto("/cycles/?trigger=bell")
        expect(page.get_by_role("heading", name="The database cannot be reached")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == 320

    expect(page.get_by_role("heading", name="Cycles")).to_be_visible(timeout=LONG_MS)
    assert page.url.endswith("/cycles/?trigger=bell")


def lose_connection(*_: object) -> None:
    raise OperationalError("server closed the connection unexpectedly")
