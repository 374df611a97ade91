"""Take pictures of the main pages from the demo that `make run` serves (`make screenshots`).

Each page light and dark, wide and narrow, as much as a screen shows: so their sizes stay the same.
It waits until the demo's story is told, claims one workspace as ana, and changes nothing else.
Look at the pictures before you commit them. With names (`take.py pools claims`) only those.
"""

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Error, Page, expect, sync_playwright

URL: Final = os.environ.get("URL", "http://127.0.0.1:8000").rstrip("/")
HERE: Final = Path(__file__).parent
PASSWORD: Final = "prebuilds-demo"
SCHEMES: Final = ("light", "dark")
SCREENS: Final = {"wide": {"width": 1280, "height": 900}, "narrow": {"width": 320, "height": 800}}
FLAGS: Final = (
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-sync",
    "--hide-scrollbars",
)
PATIENCE_SECONDS: Final = 300
LOOK_SECONDS: Final = 2.0
CLAIMED: Final = "words-in-other-languages"
AT_REST: Final = """
() => document.readyState === "complete"
   && !document.querySelector(".htmx-request, .htmx-swapping, .htmx-settling")
   && document.fonts.status === "loaded"
"""
SETTLED: Final = {
    "Nightly": lambda pool: pool["health"] == "hard_limited",
    "Europe": lambda pool: pool["health"] == "validation_failed",
    "GPU": lambda pool: pool["health"] == "held",
    "Small": lambda pool: pool["ready"] == pool["desired"],
    "Large": lambda pool: pool["ready"] == pool["desired"],
    "Silent": lambda pool: pool["ready"] == pool["desired"],
    "One hour": lambda pool: pool["ready"] == pool["desired"],
    "Standard": lambda pool: (
        pool["template_version_name"] == "release-2" and pool["desired"] == pool["ready"] == 1
    ),
}
"""How each pool of the demo is when its story is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One page: its address, whose eyes, and what is done before the picture is taken."""

    name: str
    address: str
    who: str = "tess"
    then: Callable[[Page], object] = lambda _: None


def main() -> int:
    """Take those that are named, or all; then remove those of pages that are taken no more."""
    flags = [*FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        admin = Api(browser, "admin")
        wait_until_told(admin)
        claimed = claim_one(Api(browser, "ana"))
        wait_until_told(admin)
        wanted = sys.argv[1:]
        shots = [one for one in pages(admin, claimed) if not wanted or one.name in wanted]
        people = {who: sign_in(browser, who) for who in {shot.who for shot in shots}}
        taken = {take(browser, shot, look, people) for look in looks() for shot in shots}
        browser.close()
    for old in set() if wanted else set(HERE.glob("*.png")) - taken:
        old.unlink()
    print(f"{len(taken)} pictures, {sum(one.stat().st_size for one in taken) / 1e6:.1f} MB")
    return 0


class Api:
    """The API as one person."""

    def __init__(self, browser: Browser, username: str) -> None:
        self._request = browser.new_context().request
        who = {"username": username, "password": PASSWORD}
        token = self.call("POST", "/users/login", who)["session_token"]
        self._headers = {"Authorization": f"Bearer {token}"}

    _headers: dict[str, str] = {}

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        """Return the answer's JSON; an answer that is no success ends the program."""
        address, headers = f"{URL}/api/v2{path}", {**self._headers, **headers}
        try:
            answer = self._request.fetch(address, method=method, data=body, headers=headers)
        except Error as error:
            sys.exit(f"error: {URL} does not answer ({error.message.splitlines()[0]}); `make run`")
        if not answer.ok:
            sys.exit(f"error: {method} {path}: {answer.status} {answer.text()[:300]}")
        return answer.json()


def wait_until_told(api: Api) -> None:
    """Wait until every pool of the demo is as its story leaves it."""
    wait_for("the demo's story", lambda: not list(untold(api)), lambda: list(untold(api)))


def untold(api: Api) -> Iterator[str]:
    """Yield the pools that are not yet as they will stay."""
    pools = api.call("GET", "/prebuilds/state")["pools"]
    active = {pool["preset_name"]: pool for pool in pools if pool["is_active_version"]}
    for name, is_settled in SETTLED.items():
        if name not in active or not is_settled(active[name]):
            yield name


def wait_for(what: str, is_so: Callable[[], bool], missing: Callable[[], object]) -> None:
    """Wait for a condition; give up with what is missing."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            sys.exit(f"error: waited {PATIENCE_SECONDS} s for {what}; missing: {missing()}")
        time.sleep(LOOK_SECONDS)


def claim_one(api: Api) -> str:
    """Claim a workspace, once however often one asks; return its address when it is ready."""
    organization = api.call("GET", "/organizations")[0]["id"]
    template = api.call("GET", f"/organizations/{organization}/templates/python-project")
    presets = api.call("GET", f"/templateversions/{template['active_version_id']}/presets")
    small = next(one["ID"] for one in presets if one["Name"] == "Small")
    wish = {"name": CLAIMED, "template_id": template["id"], "template_version_preset_id": small}
    path = f"/organizations/{organization}/members/me/workspaces"
    workspace = api.call("POST", path, wish, **{"Idempotency-Key": "screenshots"})["id"]

    def status() -> str:
        return str(api.call("GET", f"/workspaces/{workspace}")["latest_build"]["status"])

    wait_for("ana's workspace", lambda: status() == "running", status)
    return f"/workspaces/{workspace}/"


def pages(api: Api, claimed: str) -> Iterator[Shot]:
    """Yield the pages worth a picture."""
    pools = api.call("GET", "/prebuilds/state")["pools"]
    ids = {pool["preset_name"]: pool for pool in pools if pool["is_active_version"]}
    large, python = ids["Large"]["preset_id"], ids["Large"]["template_id"]
    yield Shot(name="sign-in", address="/sign-in/", who="")
    yield Shot(name="pools", address="/")
    yield Shot(name="preset", address=f"/presets/{large}/", then=show("#timeline"))
    yield Shot(name="preset-edit", address=f"/presets/{large}/edit")
    yield Shot(name="preset-edit-review", address=f"/presets/{large}/edit", then=review_an_edit)
    yield Shot(name="templates", address="/templates/")
    yield Shot(name="template", address=f"/templates/{python}/")
    yield Shot(name="template-promote", address=f"/templates/{python}/", then=ask_to_promote)
    yield Shot(name="workspaces", address="/workspaces/?q=owner%3Aprebuilds")
    yield Shot(name="workspace-claimed", address=claimed, who="ana")
    yield Shot(name="workspace-create", address=f"/workspaces/new/?template={python}", who="ana")
    yield Shot(name="jobs", address="/jobs/?status=all")
    yield Shot(name="provisioners", address="/provisioners/")
    yield Shot(name="cycles", address="/cycles/")
    yield Shot(name="notices", address="/notices/?state=all")
    yield Shot(name="claims", address="/claims/?outcome=cold")
    yield Shot(name="people", address="/people/", who="admin")
    yield Shot(name="settings", address="/settings/", who="admin")
    yield Shot(name="account", address="/account/")


def looks() -> Iterator[tuple[str, str]]:
    """Yield each scheme with each screen."""
    yield from ((scheme, screen) for scheme in SCHEMES for screen in SCREENS)


def take(browser: Browser, shot: Shot, look: tuple[str, str], people: dict[str, Any]) -> Path:
    """Take one picture; return its file."""
    scheme, screen = look
    context = browser.new_context(
        storage_state=people[shot.who],
        viewport=SCREENS[screen],
        color_scheme=scheme,
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="Europe/Berlin",
    )
    page = context.new_page()
    page.goto(URL + shot.address)
    shot.then(page)
    page.wait_for_function(AT_REST)
    file = HERE / f"{shot.name}-{scheme}-{screen}.png"
    page.screenshot(path=file, animations="disabled", caret="hide")
    context.close()
    return file


def sign_in(browser: Browser, who: str) -> Any:
    """Return the cookies of one of the demo's people; none for a stranger."""
    if not who:
        return None
    page = browser.new_context().new_page()
    page.goto(f"{URL}/sign-in/")
    page.get_by_label("User name").fill(who)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{URL}/")
    return page.context.storage_state()


def show(part: str) -> Callable[[Page], None]:
    """Return what scrolls a part of a page to the top, once its chart is drawn."""

    def scroll(page: Page) -> None:
        expect(page.locator("#timeline-chart canvas")).to_be_visible()
        page.locator(part).evaluate("(it) => it.scrollIntoView({block: 'start'})")

    return scroll


def review_an_edit(page: Page) -> None:
    """Change a number, and ask to see the difference; nothing is saved."""
    page.get_by_label("Desired instances", exact=True).fill("2")
    page.get_by_role("button", name="Review and save").last.click()
    expect(page.get_by_role("button", name="Save", exact=True)).to_be_visible()


def ask_to_promote(page: Page) -> None:
    """Ask what promoting the other version would do; nothing is promoted."""
    page.get_by_role("link", name="Promote").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()


if __name__ == "__main__":
    sys.exit(main())
