"""What is asked for when somebody changes a workspace's name or times."""

from datetime import timedelta
from typing import Any, Final
from zoneinfo import available_timezones

from django import forms
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from prebuilds.dashboard.base.forms import HouseForm
from prebuilds.dashboard.workspaces.autostart_words import DAYS, PlainSchedule, write_schedule
from workspaces.lifecycle import TTL_MAX_SECONDS

HOURS: Final = (("1", "1 hour"), ("2", "2 hours"), ("4", "4 hours"), ("8", "8 hours"))
_ZONES: Final = [(zone,) for zone in sorted(available_timezones())]
PLAIN: Final = {"autocomplete": "off", "spellcheck": "false"}


class ZoneInput(forms.TextInput):
    """An input that offers all zones, found by typing a city."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """Return the input with its list."""
        offered = format_html_join("", '<option value="{}"></option>', _ZONES)
        field = super().render(name, value, attrs, renderer)
        return format_html('{}<datalist id="zones">{}</datalist>', field, offered)


class RenameForm(HouseForm):
    """Another name."""

    name = forms.CharField(
        max_length=64,
        help_text="Letters, digits and single hyphens, up to 32.",
        widget=forms.TextInput(attrs=PLAIN),
    )

    def refuse(self, error: Exception) -> None:
        """Say what is wrong with the name at the name."""
        self.add_error("name", str(error))


class TtlForm(HouseForm):
    """How long each start lasts."""

    hours = forms.FloatField(
        required=False,
        min_value=1 / 60,
        max_value=TTL_MAX_SECONDS / 3600,
        label="Stop it so many hours after each start",
        help_text="Empty: only when somebody stops it. Half an hour is 0.5.",
        widget=forms.NumberInput(attrs={"step": "any"}),
    )

    @property
    def seconds(self) -> int | None:
        """Return the hours as seconds; None for no end."""
        hours = self.cleaned_data["hours"]
        return round(hours * 3600) if hours else None


class ExtendForm(HouseForm):
    """How much longer it shall run."""

    hours = forms.ChoiceField(choices=HOURS, label="Let it run longer by")

    @property
    def longer(self) -> timedelta:
        """Return the span to add."""
        return timedelta(hours=int(self.cleaned_data["hours"]))


class AutostartForm(HouseForm):
    """On which days it starts, when, and by whose clock."""

    days = forms.MultipleChoiceField(
        choices=DAYS,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="No day: it does not start by itself.",
    )
    at = forms.TimeField(
        label="At", required=False, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    )
    zone = forms.CharField(
        label="Time zone",
        max_length=64,
        required=False,
        help_text="Type a city to find its zone.",
        widget=ZoneInput(attrs={**PLAIN, "list": "zones", "data-own-zone": ""}),
    )

    def clean(self) -> dict[str, Any]:
        """Ask for a time and a zone once there are days."""
        values = super().clean() or {}
        if values.get("days"):
            if "at" in values and values["at"] is None:
                self.add_error("at", "Choose a time, such as 09:30.")
            zone = values.get("zone", "")
            if zone not in available_timezones():
                self.add_error(
                    "zone", f'"{zone}" is no time zone: write one such as Europe/Berlin.'
                )
        return values

    @property
    def schedule(self) -> str:
        """Return the schedule as it is stored; an empty text for none."""
        values = self.cleaned_data
        if not values["days"]:
            return ""
        plain = PlainSchedule(days=tuple(values["days"]), at=values["at"], zone=values["zone"])
        return write_schedule(plain)
