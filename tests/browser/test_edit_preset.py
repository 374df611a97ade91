"""Editing a preset in a browser: checked as one types, two at once, and nothing typed is lost."""

from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.audit import Actor
from accounts.enums import AuditSource
from prebuilds.models import PoolHour
from templates_app import services
from templates_app.models import Preset, PresetSchedule
from tests.integration.prebuilds.dashboard.house import House, add_workspace


def open_form(page: Page, house: House) -> None:
    page.goto(f"/presets/{house.preset.pk}/edit")
    expect(page.get_by_role("button", name="Add a row")).to_be_visible()


def review(page: Page) -> None:
    page.get_by_role("button", name="Review and save").last.click()


def test_an_overlap_is_named_as_one_types_and_gone_when_it_is_mended(
    sign_in: Callable[..., Page], house: House
) -> None:
    PresetSchedule.objects.create(
        preset=house.preset, cron_expression="* 8-18 * * 1-5", desired_instances=3
    )
    page = sign_in("ana")
    open_form(page, house)

    page.get_by_role("button", name="Add a row").click()
    page.keyboard.type("* 18-20 * * *")
    page.keyboard.press("Tab")
    page.keyboard.type("5")

    error = page.locator("#schedules-error")
    expect(error).to_contain_text('Rows 1 and 2 overlap: "* 8-18 * * 1-5" and "* 18-20 * * *"')
    expect(page.get_by_label("Desired instances in these hours").last).to_be_focused()
    expect(page.get_by_label("Desired instances in these hours").last).to_have_value("5")

    page.locator("[name=schedule_expression]").last.fill("* 19-20 * * *")

    expect(error).to_be_hidden()
    expect(page.locator("#next-cycle")).to_contain_text("The next cycle will create")
    review(page)
    expect(page.get_by_text("3 at * 8-18 * * 1-5; 5 at * 19-20 * * *")).to_be_visible()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved: Schedule.")).to_be_visible()
    assert house.preset.schedules.count() == 2


def test_a_removed_row_is_gone_and_the_keyboard_goes_on(
    sign_in: Callable[..., Page], house: House
) -> None:
    for hour in (8, 9):
        PresetSchedule.objects.create(
            preset=house.preset,
            position=hour,
            cron_expression=f"* {hour} * * *",
            desired_instances=3,
        )
    page = sign_in("ana")
    open_form(page, house)

    page.get_by_role("button", name="Remove this row").first.press("Enter")

    expect(page.locator("[name=schedule_expression]")).to_have_count(1)
    expect(page.locator("[name=schedule_expression]")).to_be_focused()
    expect(page.locator("#preview")).to_contain_text("3 at * 9 * * *")


def test_the_second_of_two_sees_the_change_of_the_first_and_merges_it(
    sign_in: Callable[..., Page], house: House, watcher
) -> None:
    watcher.expected = ("status of 409",)
    first, second = sign_in("ana"), sign_in("ana", viewport={"width": 1280, "height": 800})
    open_form(first, house)
    open_form(second, house)

    first.get_by_label("Desired instances", exact=True).fill("4")
    review(first)
    first.get_by_role("button", name="Save", exact=True).click()
    expect(first.get_by_text("Saved: Desired instances.")).to_be_visible()
    second.get_by_label("Description").fill("Half a thought")

    expect(second.locator("#preview #conflict")).to_contain_text("Ana Lima")
    review(second)
    conflict = second.locator("#conflict")
    expect(conflict).to_contain_text("Nothing of yours is lost")
    expect(second.get_by_label("Desired instances", exact=True)).to_have_value("4")
    expect(second.get_by_label("Description")).to_have_value("Half a thought")
    review(second)
    second.get_by_role("button", name="Save", exact=True).click()
    expect(second.get_by_text("Saved: Description.")).to_be_visible()
    preset = Preset.objects.get(pk=house.preset.pk)
    assert (preset.desired_instances, preset.description) == (4, "Half a thought")


def test_the_page_draws_its_curves_and_stays_live_and_its_week_is_read_by_keyboard(
    sign_in: Callable[..., Page], house: House
) -> None:
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    for number in range(30):
        PoolHour.objects.create(
            preset=house.preset,
            hour=hour - timedelta(hours=number),
            warm=1,
            cold=1,
            samples=1,
            desired_sum=2,
            ready_sum=1,
        )
    page = sign_in("ana")
    page.goto(f"/presets/{house.preset.pk}/")

    expect(page.locator("#timeline-chart canvas")).to_be_visible()
    expect(page.locator("#pool-sentence")).to_contain_text("0 ready")

    workspace = add_workspace(house.preset)

    expect(page.locator("#pool-sentence")).to_contain_text("1 ready")
    expect(page.locator(f"#member-{workspace.pk}")).to_be_visible()

    page.locator(".heat-now").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("[data-heat-readout]")).to_contain_text("2 desired")

    page.get_by_role("link", name="Set desired").click()
    page.get_by_role("spinbutton", name="Desired instances").fill("4")
    expect(page.locator("#desired-plan")).to_contain_text("create 3 prebuilds")


def test_days_and_hours_are_picked_and_the_text_and_the_week_follow(
    sign_in: Callable[..., Page], house: House
) -> None:
    page = sign_in("ana")
    open_form(page, house)
    page.get_by_role("button", name="Add a row").click()
    row = page.locator("[data-schedule-row]")

    row.get_by_role("button", name="Weekdays").click()
    row.get_by_label("From", exact=True).select_option("09:00")
    row.get_by_label("To", exact=True).select_option("17:59")
    row.get_by_label("Desired instances in these hours").fill("3")

    expect(row.locator("[name=schedule_expression]")).to_have_value("* 9-17 * * 1-5")
    expect(row.locator("[data-row-words]")).to_have_text("Mon to Fri, 09:00 to 17:59 → 3")
    expect(row.get_by_role("checkbox", name="Mon")).to_be_checked()
    expect(row.get_by_role("checkbox", name="Sun")).not_to_be_checked()
    expect(page.locator("#preview .heat-cell[title*='09:00']").first).to_be_visible()
    expect(page.locator("#preview .heat-cell[title*='3 desired']")).to_have_count(45)
    review(page)
    expect(page.get_by_text("none → 3 at * 9-17 * * 1-5")).to_be_visible()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved: Schedule.")).to_be_visible()
    saved = house.preset.schedules.get()
    assert (saved.cron_expression, saved.desired_instances) == ("* 9-17 * * 1-5", 3)


def test_the_picker_reads_a_text_back_and_leaves_alone_what_it_cannot_show(
    sign_in: Callable[..., Page], house: House
) -> None:
    PresetSchedule.objects.create(
        preset=house.preset, cron_expression="* 19-23,0-7 * * 0,6", desired_instances=1
    )
    page = sign_in("ana", viewport={"width": 320, "height": 800}, color_scheme="dark")
    open_form(page, house)
    row = page.locator("[data-schedule-row]")
    expect(row.get_by_label("From", exact=True)).to_have_value("19")
    expect(row.get_by_label("To", exact=True)).to_have_value("7")
    expect(row.get_by_role("checkbox", name="Sat")).to_be_checked()

    text = row.locator("[name=schedule_expression]")
    text.fill("* 8-18 1-7 * *")
    expect(row.get_by_text("Custom: this text says more")).to_be_visible()
    expect(row.locator("[data-row-words]")).to_contain_text("Days 1 to 7 of the month")
    expect(text).to_have_value("* 8-18 1-7 * *")

    row.get_by_role("checkbox", name="Sat").focus()
    page.keyboard.press("Space")

    expect(text).to_have_value("* * * * 6")
    expect(row.get_by_text("Custom: this text says more")).to_be_hidden()
    page.keyboard.press("Space")
    expect(row.get_by_role("checkbox", name="Sat")).to_be_checked()


def test_a_flag_of_the_timeline_says_what_happened_by_pointer_and_by_keyboard(
    sign_in: Callable[..., Page], house: House
) -> None:
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    for number in range(30):
        PoolHour.objects.create(
            preset=house.preset, hour=hour - timedelta(hours=number), samples=1, desired_sum=2
        )
    actor = Actor(user=house.admin, source=AuditSource.PAGE)
    for hours, number in ((9, 4), (3, 5)):
        services.set_desired_instances(
            preset_id=house.preset.pk,
            desired_instances=number,
            now=hour - timedelta(hours=hours),
            actor=actor,
        )
    services.retry_preset(
        preset_id=house.preset.pk, now=hour - timedelta(hours=3, minutes=1), actor=actor
    )
    page = sign_in("ana", viewport={"width": 1280, "height": 900})
    page.goto(f"/presets/{house.preset.pk}/")
    flags = page.locator(".timeline-flag")
    readout = page.locator("#timeline-readout")
    expect(flags).to_have_text(["3", "1–2"])

    flags.first.hover()
    expect(readout).to_contain_text("3. ")
    expect(readout).to_contain_text("Edited: desired instances (Ana Lima)")

    flags.first.focus()
    page.keyboard.press("ArrowRight")
    expect(flags.last).to_be_focused()
    expect(readout).to_contain_text("Retried (Ana Lima)")
    expect(readout.locator("li")).to_have_count(2)
    expect(page.locator(".mark-list .is-shown")).to_have_count(2)
    assert "Retried (Ana Lima)" in (flags.last.get_attribute("aria-label") or "")
