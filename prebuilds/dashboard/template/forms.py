"""The inputs of templates and versions: what each is called, and the shape its text must have.

Whether values fit together is for templates_app.services to say; `note_problems` puts that beside
the inputs it is about.
"""

from collections.abc import Iterable
from typing import Any, Final

from django import forms

from accounts.models import Organization
from prebuilds.core.durations import HOW_TO, parse_duration
from prebuilds.dashboard.base.icons import TEMPLATE_ICONS, icon_name
from templates_app.enums import Monotonic, ParameterType

MOST: Final = 2_147_483_647
SPAN_LENGTH: Final = 20
LARGEST: Final = 9_223_372_036_854_775_807
ICONS: Final = tuple((name, name) for name in sorted(TEMPLATE_ICONS))
DIRECTIONS: Final = (("", "May change both ways"), *Monotonic.choices)
CONTROLS: Final[dict[type[Any], str]] = {
    forms.CheckboxInput: "form-check-input",
    forms.Select: "form-select",
    forms.RadioSelect: "form-check-input",
    forms.HiddenInput: "",
}
ABOUT_NAME: Final = "Letters, digits, hyphens and underscores; unique in the organization."


class TextField(forms.CharField):
    """A text of lines, kept as it was typed: browsers send each line's end as two characters."""

    def __init__(self, *, rows: int = 3, **kwargs: Any) -> None:
        widget = forms.Textarea({"rows": rows, "spellcheck": "false"})
        super().__init__(strip=False, widget=widget, **kwargs)

    def to_python(self, value: Any) -> str:
        """Return the text with one character at the end of a line."""
        return str(super().to_python(value)).replace("\r\n", "\n")


class SpanField(forms.Field):
    """A span such as 8h or 7d; empty, 0 or "never" for none. Its value is whole seconds."""

    def to_python(self, value: Any) -> int:
        """Return the seconds."""
        text = str(value or "").strip().lower()[:SPAN_LENGTH]
        if text in {"", "never"}:
            return 0
        try:
            seconds = int(parse_duration(text).total_seconds())
        except ValueError as error:
            raise forms.ValidationError(f'"{text}" is no span: {HOW_TO}.') from error
        if seconds > MOST:
            raise forms.ValidationError(f'"{text}" is more than 24855 days. Use "never".')
        return seconds


class HouseForm(forms.Form):
    """A form that looks like the others; the first input with an error gets the focus."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        for field in self.fields.values():
            css = CONTROLS.get(type(field.widget), "form-control")
            field.widget.attrs.setdefault("class", css)


class TemplateForm(HouseForm):
    """What a template says of itself."""

    name = forms.SlugField(max_length=64, help_text=ABOUT_NAME)
    display_name = forms.CharField(
        max_length=128, required=False, help_text="What people see; empty: the name."
    )
    icon = forms.ChoiceField(choices=ICONS, required=False, widget=forms.RadioSelect)
    description = TextField(rows=2, max_length=65_536, required=False)


class SettingsForm(TemplateForm):
    """A template's name and looks, and the lifecycle policy of its workspaces."""

    default_ttl_seconds = SpanField(
        required=False,
        label="Workspaces stop by themselves after",
        help_text="Such as 8h or 2d; never: they run until somebody stops them.",
    )
    allow_user_autostop = forms.BooleanField(
        required=False, label="People may set another time to stop"
    )
    allow_user_autostart = forms.BooleanField(
        required=False, label="People may let their workspaces start by themselves"
    )
    time_til_dormant_seconds = SpanField(
        required=False,
        label="Unused workspaces go dormant after",
        help_text="They are stopped, and start only once somebody wakes them. Such as 30d; never.",
    )
    time_til_dormant_autodelete_seconds = SpanField(
        required=False,
        label="Dormant workspaces are deleted after",
        help_text="Such as 60d; never: they are kept.",
    )
    updated_at = forms.CharField(widget=forms.HiddenInput, required=False)


class NewTemplateForm(TemplateForm):
    """A template with its first version and, if one likes, its first preset."""

    field_order = ("organization", "name", "display_name", "icon", "description")

    organization = forms.ModelChoiceField(Organization.objects.none(), empty_label=None)
    version_name = forms.CharField(max_length=64, initial="1.0.0", label="First version")
    startup_script = TextField(
        rows=10,
        required=False,
        label="Start-up script",
        help_text="Run in the workspace when it is built. When it fails, the build fails.",
    )
    preset_name = forms.CharField(
        max_length=64,
        required=False,
        initial="Standard",
        label="First preset",
        help_text="A named choice of values that people can pick; empty: none.",
    )
    desired_instances = forms.IntegerField(
        min_value=0,
        max_value=MOST,
        required=False,
        label="Prebuilds to keep ready",
        help_text="Desired instances of the preset's pool; empty: no pool.",
    )


class VersionForm(HouseForm):
    """What a version is besides its files, tags, parameters and presets."""

    name = forms.CharField(max_length=64, help_text="Unique among the template's versions.")
    message = TextField(
        rows=2, max_length=65_536, required=False, help_text="What is new in it, for others."
    )
    startup_script = TextField(
        rows=12,
        required=False,
        label="Start-up script",
        help_text="Run in the workspace when it is built, and again when somebody claims it.",
    )
    startup_timeout_seconds = forms.IntegerField(
        min_value=1,
        max_value=MOST,
        label="Start-up may take (seconds)",
        help_text="Then the build fails.",
    )
    daily_cost = forms.IntegerField(
        min_value=0,
        max_value=MOST,
        label="Daily cost of a workspace",
        help_text="Counted against quota; 0: nothing.",
    )
    base = forms.UUIDField(widget=forms.HiddenInput, required=False)


class FileForm(HouseForm):
    """One file put into the workspace."""

    path = forms.CharField(max_length=255, label="Path", help_text="Such as bin/start.sh.")
    text = TextField(rows=6, required=False, label="Text")


class TagForm(HouseForm):
    """One tag a provisioner must have."""

    name = forms.CharField(max_length=100, label="Tag")
    value = forms.CharField(max_length=100, required=False, label="Value")


class ParameterForm(HouseForm):
    """One value the version asks for."""

    name = forms.CharField(max_length=64)
    type = forms.ChoiceField(
        choices=ParameterType.choices, initial=ParameterType.STRING, label="Kind"
    )
    default = TextField(rows=1, required=False, help_text='A list is written ["a", "b"].')
    empty_default = forms.BooleanField(required=False, label="The default is an empty text")
    display_name = forms.CharField(max_length=128, required=False, label="Label")
    description = forms.CharField(max_length=65_536, required=False)
    required = forms.BooleanField(required=False, label="Must be given when there is no default")
    mutable = forms.BooleanField(
        required=False, initial=True, label="May be changed in a workspace that exists"
    )
    ephemeral = forms.BooleanField(required=False, label="Only for one build")
    options = TextField(rows=3, required=False, help_text="One a line; none: any value.")
    validation_regex = forms.CharField(
        max_length=65_536, required=False, strip=False, label="Pattern (regular expression)"
    )
    validation_error = forms.CharField(
        max_length=65_536, required=False, label="Message when a value does not fit"
    )
    validation_min = forms.IntegerField(
        min_value=-LARGEST, max_value=LARGEST, required=False, label="Minimum"
    )
    validation_max = forms.IntegerField(
        min_value=-LARGEST, max_value=LARGEST, required=False, label="Maximum"
    )
    validation_monotonic = forms.ChoiceField(
        choices=DIRECTIONS, required=False, label="When it is changed"
    )


class PresetForm(HouseForm):
    """One preset: carried over with all its settings when `source` names it, else a new one."""

    source = forms.UUIDField(widget=forms.HiddenInput, required=False)
    name = forms.CharField(max_length=64)
    desired_instances = forms.IntegerField(
        min_value=0,
        max_value=MOST,
        required=False,
        label="Desired instances",
        help_text="Empty: no pool.",
    )


def focus_first_error(forms_in_order: Iterable[forms.Form]) -> None:
    """Give the focus to the first input that must be mended."""
    for form in forms_in_order:
        for name in form.fields:
            if form.errors.get(name):
                form.fields[name].widget.attrs["data-focus-first"] = "yes"
                return


def say_span(seconds: int) -> str:
    """Return a span as `SpanField` reads it, in its largest whole unit."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s" if seconds else "never"


def known_icon(icon: str) -> str:
    """Return the icon of the set that stands for a stored name; empty for none."""
    return icon_name(icon, "") if icon else ""
