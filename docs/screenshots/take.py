"""Take pictures of the main pages from the demo that `make run` serves (`make screenshots`).

Each page light and dark, wide and narrow. Look at them before you commit them.
"""

import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

URL = os.environ.get("URL", "http://127.0.0.1:8000")
HERE = Path(__file__).parent
PASSWORD = "prebuilds-demo"  # noqa: S105  the demo's, said in the README
LOOKS = (
    ("light", {"width": 1280, "height": 900}, "light"),
    ("dark", {"width": 1280, "height": 900}, "dark"),
    ("narrow", {"width": 320, "height": 720}, "light"),
    ("narrow-dark", {"width": 320, "height": 720}, "dark"),
)
FLAGS = ("--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync")
SETTLED_MS = 800


def pages(page: Page) -> dict[str, str]:
    """Return name → address of the pages worth a picture; those of things are found by clicking."""
    page.goto(f"{URL}/")
    preset = page.locator(".pool-row", has_text="Large").locator("a").first.get_attribute("href")
    page.goto(f"{URL}/templates/")
    template = page.get_by_role("link", name="Python project").first.get_attribute("href")
    return {
        "pools": "/",
        "preset": preset or "/",
        "edit-preset": f"{preset}edit",
        "templates": "/templates/",
        "template": template or "/templates/",
        "workspaces": "/workspaces/?q=owner:prebuilds",
        "create-workspace": "/workspaces/new/",
        "jobs": "/jobs/?status=all",
        "cycles": "/cycles/",
        "notices": "/notices/",
    }


def sign_in(browser: Browser, viewport: dict[str, int], scheme: str) -> Page:
    """Return a page of somebody who may see everything."""
    context = browser.new_context(viewport=viewport, color_scheme=scheme, locale="en-GB")
    page = context.new_page()
    page.goto(f"{URL}/sign-in/")
    page.get_by_label("User name").fill("tess")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{URL}/")
    return page


def main() -> None:
    """Take them all."""
    flags = [*FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        for look, viewport, scheme in LOOKS:
            page = sign_in(browser, viewport, scheme)
            for name, address in pages(page).items():
                page.goto(URL + address)
                page.wait_for_timeout(SETTLED_MS)
                page.screenshot(path=HERE / f"{name}-{look}.png", full_page=look == "light")
                print(f"{name}-{look}.png")
        browser.close()


if __name__ == "__main__":
    sys.exit(main())
