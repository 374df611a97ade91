"""A flooded queue is emptied in three clicks; a search completes; ticks survive the live list."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.factories import make_pending_prebuilds
from tests.integration.prebuilds.dashboard.house import House, add_workspace
from workspaces.models import ProvisionerJob, Workspace

SignIn = Callable[..., Page]


def test_a_flooded_queue_is_emptied_and_paused(house: House, sign_in: SignIn) -> None:
    house.preset.desired_instances = 5
    house.preset.save()
    make_pending_prebuilds(house.preset, 5)
    page = sign_in("ana")
    page.goto("/jobs/")
    expect(page.locator("#jobs tbody tr")).to_have_count(5)

    page.get_by_role("link", name="Cancel waiting prebuilds").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("cancel 5")
    dialog.get_by_role("button", name="Cancel 5").click()

    expect(page.get_by_text("5 waiting starts canceled.")).to_be_visible()
    expect(page.get_by_text("Nothing waits or runs").first).to_be_visible()
    assert not ProvisionerJob.objects.filter(status="pending").exists()
    assert not Workspace.objects.filter(deleted_at=None).exists()


def test_a_search_completes_by_keyboard_and_is_kept(house: House, sign_in: SignIn) -> None:
    add_workspace(house.preset, owner_id=house.member.pk, name="broken", agent="", error="exit 1")
    page = sign_in("ana")
    page.goto("/workspaces/?q=")
    box = page.get_by_role("combobox", name="Search workspaces")

    box.press_sequentially("sta")
    expect(page.get_by_role("option", name="status:")).to_be_visible()
    box.press("ArrowDown")
    box.press("Enter")
    box.press_sequentially("fai")
    expect(page.get_by_role("option")).to_have_count(1)
    box.press("ArrowDown")
    box.press("Enter")
    expect(box).to_have_value("status:failed ")
    box.press_sequentially("bro")
    box.press("Enter")

    page.wait_for_url("**/workspaces/?q=status%3Afailed+bro")
    page.get_by_role("button", name="Keep this search").click()
    page.goto("/workspaces/")
    page.get_by_role("link", name="status:failed bro").click()
    expect(page.get_by_role("link", name="broken")).to_be_visible()


def test_a_minus_is_completed_too_and_leaves_prebuilds_out(house: House, sign_in: SignIn) -> None:
    add_workspace(house.preset)
    add_workspace(house.preset, owner_id=house.member.pk, name="api")
    page = sign_in("ana")
    page.goto("/workspaces/?q=")
    expect(page.locator("#workspaces tbody tr")).to_have_count(2)
    box = page.get_by_role("combobox", name="Search workspaces")

    box.press_sequentially("-ow")
    expect(page.get_by_role("option", name="-owner:")).to_be_visible()
    box.press("ArrowDown")
    box.press("Enter")
    box.press_sequentially("pre")
    expect(page.get_by_role("option", name="-owner:prebuilds")).to_be_visible()
    box.press("ArrowDown")
    box.press("Enter")
    expect(box).to_have_value("-owner:prebuilds ")
    box.press("Enter")

    expect(page.locator("#workspaces tbody tr")).to_have_count(1)
    expect(page.get_by_role("link", name="api", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="People's")).to_be_visible()


def test_ticks_survive_the_live_list_and_stop_what_was_ticked(
    house: House, sign_in: SignIn
) -> None:
    chosen = add_workspace(house.preset, owner_id=house.admin.pk, name="chosen")
    page = sign_in("ana")
    page.goto("/workspaces/")
    page.get_by_label("Tick chosen").check()

    add_workspace(house.preset, owner_id=house.admin.pk, name="later")
    expect(page.get_by_role("link", name="later")).to_be_visible()
    expect(page.get_by_label("Tick chosen")).to_be_checked()
    page.locator("#bulk").get_by_role("button", name="Stop").click()
    page.get_by_role("dialog").get_by_role("button", name="Stop 1 workspace").click()

    expect(page.get_by_text("1 workspace asked to stop.")).to_be_visible()
    chosen.refresh_from_db()
    assert chosen.latest_build.transition == "stop"
