"""A version being written: its inputs, rows that come and go, and the spec they amount to."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from django.forms import BaseFormSet, Form, formset_factory
from django.http import QueryDict

from prebuilds.dashboard.base.numbers import read_whole
from prebuilds.dashboard.template.forms import (
    FileForm,
    HouseForm,
    ParameterForm,
    PresetForm,
    TagForm,
    VersionForm,
    focus_first_error,
)
from prebuilds.dashboard.template.written import Row, to_spec
from templates_app.models import TemplateVersion
from templates_app.services import (
    VersionSpec,
    version_problems,
)

ROWS: Final[Mapping[str, type[HouseForm]]] = {
    "presets": PresetForm,
    "parameters": ParameterForm,
    "files": FileForm,
    "tags": TagForm,
}
"""What a version has several of; the word is also the prefix of the inputs."""
MOST_ROWS: Final = 40
Formset: TypeAlias = "BaseFormSet[Any]"
Rows = dict[str, list[dict[str, Any]]]
_FORMSETS: Final = {
    kind: formset_factory(
        form, extra=0, max_num=MOST_ROWS, absolute_max=MOST_ROWS + 1, validate_max=True
    )
    for kind, form in ROWS.items()
}


@dataclass(slots=True, kw_only=True)
class Draft:
    """A version as somebody writes it. `base` is the version it started from."""

    form: VersionForm
    formsets: Mapping[str, Formset]
    base: TemplateVersion | None

    @property
    def presets(self) -> Formset:
        """The rows of presets."""
        return self.formsets["presets"]

    @property
    def parameters(self) -> Formset:
        """The rows of parameters."""
        return self.formsets["parameters"]

    @property
    def files(self) -> Formset:
        """The rows of files."""
        return self.formsets["files"]

    @property
    def tags(self) -> Formset:
        """The rows of provisioner tags."""
        return self.formsets["tags"]

    def read(self) -> VersionSpec | None:
        """Return the version that was written; None when something must be mended first."""
        shapes = [self.form.is_valid(), *(each.is_valid() for each in self.formsets.values())]
        doubles = [_note_doubles(self.files, "path"), _note_doubles(self.tags, "name")]
        if not all(shapes) or any(doubles):
            self._focus()
            return None
        written = {kind: _filled(formset) for kind, formset in self.formsets.items()}
        spec = to_spec(self.form.cleaned_data, written, self.base)
        for field, detail in version_problems(spec):
            _note(self, written, field, detail)
        self._focus()
        return spec if self._is_clean() else None

    def refuse(self, field: str, detail: str) -> None:
        """Put a problem beside an input of the version itself."""
        self.form.add_error(field, detail)
        self._focus()

    def _is_clean(self) -> bool:
        return not any(form.errors for form in self._every_form())

    def _focus(self) -> None:
        focus_first_error(self._every_form())

    def _every_form(self) -> Iterator[Form]:
        yield self.form
        for formset in self.formsets.values():
            yield from formset.forms


def start_draft(base: TemplateVersion | None, taken: Sequence[str]) -> Draft:
    """Return the inputs filled with what a version has; nothing is checked yet."""
    if base is None:
        fields: dict[str, Any] = {"startup_timeout_seconds": 600, "daily_cost": 0}
        return _fresh(fields, {kind: [] for kind in ROWS}, None)
    fields = {
        "name": next_name(base.name, taken),
        "startup_script": base.startup_script,
        "startup_timeout_seconds": base.startup_timeout_seconds,
        "daily_cost": base.daily_cost,
        "base": base.pk,
    }
    return _fresh(fields, _rows_of(base), base)


def bind_draft(sent: QueryDict, base: TemplateVersion | None) -> Draft:
    """Return the inputs as they were sent, to be checked."""
    return Draft(
        form=VersionForm(sent),
        formsets={kind: make(sent, prefix=kind) for kind, make in _FORMSETS.items()},
        base=base,
    )


def reshape_draft(sent: QueryDict, base: TemplateVersion | None, *, edit: str) -> Draft:
    """Return the inputs as they were typed, with a row added or removed; nothing is checked.

    `edit` is such as "add:files:" or "remove:tags:2".
    """
    action, _, rest = edit.partition(":")
    kind, _, place = rest.partition(":")
    rows: Rows = {each: list(_typed_rows(sent, each)) for each in ROWS}
    if action == "add" and len(rows.get(kind, ())) < MOST_ROWS:
        rows.setdefault(kind, []).append(_blank(kind))
    row = read_whole(place)
    if action == "remove" and row is not None and row < len(rows.get(kind, ())):
        del rows[kind][row]
    typed = {name: sent.get(name, "") for name in VersionForm.base_fields}
    return _fresh(typed, rows, base)


def next_name(name: str, taken: Sequence[str]) -> str:
    """Return the name with its last number raised until it is free; empty without a number."""
    found = re.fullmatch(r"(.*?)(\d{1,9})(\D*)", name)
    if not found:
        return ""
    used = {one.lower() for one in taken}
    numbers = range(int(found[2]) + 1, int(found[2]) + len(used) + 2)
    names = (f"{found[1]}{number}{found[3]}" for number in numbers)
    return next(one for one in names if one.lower() not in used)


def _fresh(fields: Mapping[str, Any], rows: Rows, base: TemplateVersion | None) -> Draft:
    return Draft(
        form=VersionForm(initial=dict(fields)),
        formsets={
            kind: make(initial=rows.get(kind, []), prefix=kind) for kind, make in _FORMSETS.items()
        },
        base=base,
    )


def _rows_of(base: TemplateVersion) -> Rows:
    return {
        "files": [{"path": path, "text": text} for path, text in sorted(base.source_files.items())],
        "tags": [{"name": name, "value": value} for name, value in sorted(base.tags.items())],
        "parameters": [_parameter_row(row) for row in base.parameter_definitions.all()],
        "presets": [
            {"source": one.pk, "name": one.name, "desired_instances": one.desired_instances}
            for one in sorted(base.presets.all(), key=lambda preset: preset.name)
        ],
    }


def _parameter_row(row: Any) -> dict[str, Any]:
    values = {name: getattr(row, name, None) for name in ParameterForm.base_fields}
    return values | {"options": "\n".join(row.options), "empty_default": row.default == ""}


def _blank(kind: str) -> dict[str, Any]:
    return {name: field.initial for name, field in ROWS[kind].base_fields.items()}


def _typed_rows(sent: QueryDict, kind: str) -> Iterator[dict[str, Any]]:
    """Yield each row's inputs as text; a switch that is off sends nothing."""
    total = sent.get(f"{kind}-TOTAL_FORMS", "")
    for place in range(min(read_whole(total) or 0, MOST_ROWS)):
        yield {name: sent.get(f"{kind}-{place}-{name}", "") for name in ROWS[kind].base_fields}


def _note_doubles(formset: Formset, field: str) -> bool:
    """Say of rows whose names are alike that they are: of one of them nothing would be left."""
    named = [(form, form.cleaned_data.get(field)) for form in formset.forms if form.is_valid()]
    counts = Counter(name for _, name in named if name)
    for form, name in named:
        if counts[name] > 1:
            form.add_error(field, f'"{name}" is here {counts[name]} times; keep one.')
    return any(count > 1 for count in counts.values())


def _filled(formset: Formset) -> list[Row]:
    """Return the rows somebody wrote into; copies, for noting an error takes a value away."""
    return [
        Row(form=form, values=dict(form.cleaned_data))
        for form in formset.forms
        if form.cleaned_data
    ]


def _note(draft: Draft, written: Mapping[str, list[Row]], field: str, detail: str) -> None:
    """Put a problem of the version beside the input it is about."""
    kind, _, rest = field.partition(".")
    match kind:
        case "parameters":
            _note_named(draft, written["parameters"], "name", rest, detail)
        case "presets":
            place, _, inner = rest.partition(".")
            form = written["presets"][int(place)].form
            name = inner.removeprefix("parameters.")
            if inner in form.fields:
                form.add_error(inner, detail)
            else:
                form.add_error("name", f"{name}: {detail}")
        case "source_files":
            paths = [row.values["path"] for row in written["files"]]
            named = next((path for path in paths if detail.startswith(f'"{path[:80]}"')), "")
            _note_named(draft, written["files"], "path", named, detail)
        case _:
            draft.form.add_error(None, f"{kind}: {detail}")


def _note_named(draft: Draft, rows: Sequence[Row], key: str, name: str, detail: str) -> None:
    """Put it beside the rows of this name, above the form when there is none."""
    about = [row.form for row in rows if row.values[key] == name]
    for form in about:
        form.add_error(key, detail)
    if not about:
        draft.form.add_error(None, detail)
