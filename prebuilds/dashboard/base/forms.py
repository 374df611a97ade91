"""Forms in the house's look: an error stands at its input, and the first wrong input has the focus.

What a service refuses is shown the same way as what the form itself finds.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict

from accounts.errors import AccountsError
from prebuilds.dashboard.base.plan import Plan, leave, render_plan
from workspaces.errors import WorkspacesError

Row = TypeVar("Row")


class ChangedMeanwhile(Exception):
    """Somebody else changed this since you opened it. Look again and repeat your change."""

    field = ""

    def __str__(self) -> str:
        return str(self.__doc__)


class HouseForm(forms.Form):
    """A form that base/fields.html shows; `mark` ties an edit to the state it was made on."""

    mark = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("auto_id", "field-%s")
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["class"] = _look_of(field.widget)
        if not self.is_bound:
            self._focus(self.visible_names()[:1])

    def visible_names(self) -> list[str]:
        """Return the names of the inputs a person sees, in their order."""
        return [name for name, field in self.fields.items() if not field.widget.is_hidden]

    def add_error(self, field: str | None, error: Any) -> None:
        """Add it, mark the input, and let the first wrong one have the focus."""
        super().add_error(field, error)
        wrong = [name for name in self.visible_names() if name in self.errors]
        for name in wrong:
            widget = self.fields[name].widget
            widget.attrs["class"] = f"{_look_of(widget)} is-invalid"
        self._focus(wrong[:1])

    def refuse(self, error: Exception) -> None:
        """Show what a service says at the input it names; on top when it names none."""
        name = getattr(error, "field", "")
        self.add_error(name if name in self.visible_names() else None, str(error))

    def _focus(self, names: list[str]) -> None:
        for name in self.visible_names():
            self.fields[name].widget.attrs.pop("autofocus", None)
        for name in names:
            self.fields[name].widget.attrs["autofocus"] = True


def sent(request: HttpRequest) -> QueryDict | None:
    """Return what a form was sent with; one without inputs is sent when it is posted."""
    return request.POST if request.method == "POST" else None


def still(mark: str, mark_of: Callable[[Row], str]) -> Callable[[Row], None]:
    """Return the check a service makes of the row it has locked: is it as the form showed it?"""

    def check(row: Row) -> None:
        if mark and mark_of(row) != mark:
            raise ChangedMeanwhile

    return check


def ask(
    request: HttpRequest,
    plan: Plan,
    form: HouseForm,
    do: Callable[[dict[str, Any]], str],
    *,
    section: str,
    back: str,
) -> HttpResponse:
    """Show a plan with a form to fill in; POST lets `do` do it and says what it returns.

    `do` gets the form's values and may raise what services of accounts and workspaces raise.
    """
    if request.method == "POST" and form.is_valid():
        try:
            said = do(form.cleaned_data)
        except (AccountsError, WorkspacesError, ChangedMeanwhile) as error:
            form.refuse(error)
        else:
            messages.success(request, said)
            return leave(request, back)
    return render_plan(
        request,
        replace(plan, form="base/fields.html"),
        section=section,
        back=back,
        context={"form": form},
        status=422 if request.method == "POST" else 200,
    )


def _look_of(widget: forms.Widget) -> str:
    match widget:
        case forms.CheckboxSelectMultiple() | forms.CheckboxInput():
            return "form-check-input"
        case forms.Select():
            return "form-select"
        case _:
            return "form-control"
