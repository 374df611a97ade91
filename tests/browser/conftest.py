"""A real browser against the real server: uvicorn in a thread, because the streams are async.

Every test fails on a console error, a breach of the security policy or a request to another host.
"""

import gc
import os
import shutil
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.db import connections
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.integration.prebuilds.dashboard.house import PASSWORD, House, build_house
from workspaces import listening

WAIT_MS = 10_000
BROWSER_FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser/" in item.path.as_posix():
            item.add_marker(pytest.mark.browser)
            item.add_marker(
                pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])
            )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Playwright's loop runs in this thread, where Django would refuse to touch the database.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    flags = [*BROWSER_FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def house(browser: Browser, transactional_db: None) -> House:
    return build_house()


@dataclass
class Site:
    """The running server; it can be stopped and started again on the same port."""

    port: int = 0
    _server: uvicorn.Server | None = None
    _thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        from config.asgi import application

        config = uvicorn.Config(
            ASGIStaticFilesHandler(application),
            host="127.0.0.1",
            port=self.port,
            lifespan="off",
            log_level="warning",
            timeout_graceful_shutdown=1,
        )
        self._server = server = uvicorn.Server(config)
        self._thread = threading.Thread(target=server.run, name="site", daemon=True)
        self._thread.start()
        wait_for(lambda: server.started)
        self.port = server.servers[0].sockets[0].getsockname()[1]

    def stop(self) -> None:
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join(timeout=10)
        assert not self._thread.is_alive()
        self._server = None


@pytest.fixture
def site(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    for alias in connections.settings:
        # As in production under uvicorn: a request gives its connection back at its end.
        monkeypatch.setitem(connections.settings[alias], "CONN_MAX_AGE", 0)
    site = Site()
    site.start()
    yield site
    site.stop()
    listening.hub().stop()
    with warnings.catch_warnings():
        # Django 5.2 leaves the (empty) body of a request whose stream was cut to the collector.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@dataclass
class Watcher:
    """What a page must not do; `expected` lets a test that breaks the line say so."""

    problems: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()

    def note(self, problem: str) -> None:
        self.problems.append(problem)

    def unexpected(self) -> list[str]:
        return [p for p in self.problems if not any(words in p for words in self.expected)]


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    watcher = Watcher()
    yield watcher
    assert watcher.unexpected() == []


@pytest.fixture
def open_page(browser: Browser, site: Site, watcher: Watcher) -> Iterator[Callable[..., Page]]:
    contexts: list[BrowserContext] = []

    def open_page(**options: Any) -> Page:
        context = browser.new_context(base_url=site.url, locale="en-GB", **options)
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        page = context.new_page()
        _watch(page, watcher, site)
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def sign_in(open_page: Callable[..., Page], site: Site) -> Callable[..., Page]:
    def sign_in(username: str, **options: Any) -> Page:
        page = open_page(**options)
        page.goto("/sign-in/")
        page.get_by_label("User name").fill(username)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{site.url}/")
        return page

    return sign_in


def wait_for(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until the condition holds; fail after the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        threading.Event().wait(0.02)


def _watch(page: Page, watcher: Watcher, site: Site) -> None:
    def on_console(message: Any) -> None:
        if message.type in {"error", "warning"}:
            watcher.note(f"console {message.type}: {message.text}")

    def on_request(request: Any) -> None:
        if not request.url.startswith((site.url, "data:")):
            watcher.note(f"request to another host: {request.url}")

    page.on("console", on_console)
    page.on("pageerror", lambda error: watcher.note(f"script error: {error}"))
    page.on("request", on_request)
