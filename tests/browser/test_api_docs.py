"""The page of the API's document: from this host alone, within its security policy."""

from collections.abc import Callable
from typing import Final

from playwright.sync_api import Page, expect

MADE: Final = 40_000
"""How long the document may take: it is made when somebody asks for it first."""


def test_the_document_opens_and_lists_every_resource(open_page: Callable[..., Page]) -> None:
    page = open_page()

    page.goto("/api/docs")

    expect(page.get_by_role("heading", name="Prebuilds 2")).to_be_visible(timeout=MADE)
    expect(page.locator("#operations-tag-workspaces")).to_be_visible()
    expect(page.get_by_text("/api/v2/provisioner/daemons/{daemon}/acquire")).to_be_visible()


def test_an_operation_opens_with_its_parameters(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.goto("/api/docs")

    page.locator("#operations-audit-get_audit .opblock-summary-control").click(timeout=MADE)

    expect(page.locator("#operations-audit-get_audit .opblock-body")).to_be_visible()
    expect(page.locator("#operations-audit-get_audit")).to_contain_text("offset")
