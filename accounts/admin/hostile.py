"""What no admin page of ours sends, and Django's own pages break by: answered in words instead.

Null characters, which PostgreSQL refuses in a text; days that no calendar has; ids that are none.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import ValidationError
from django.db import DataError, models
from django.http import HttpRequest

ModelT = TypeVar("ModelT", bound=models.Model)

if TYPE_CHECKING:

    class _ModelAdmin(admin.ModelAdmin[ModelT]):
        pass
else:  # takes no type arguments at run time

    class _ModelAdmin(admin.ModelAdmin):
        def __class_getitem__(cls, model: object) -> type:
            return cls


UNREADABLE: Final = (ValueError, OverflowError, DataError)
"""What a filter in the address raises once the rows are read; before that Django catches it."""


class Autocomplete(AutocompleteSelect):
    """Django's own, which looks up what was chosen before anybody checked it."""

    def optgroups(self, name: str, value: Any, attrs: Any = None) -> Any:
        """Leave out what cannot be an id: the field itself says that it is none."""
        known = valid_ids(self.field.remote_field.model, value)
        return super().optgroups(name, known, attrs)


class HostileInputAnswered(_ModelAdmin[ModelT]):
    """Lists, rows and actions whose address or form somebody wrote by hand."""

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Show the list without filters, and say which one cannot be read."""
        for name, value in request.GET.items():
            if "\0" in name or "\0" in value:
                raise self._unreadable(request, f"{name[:64]!r} holds a null character.")
        try:
            return super().get_changelist_instance(request)
        except UNREADABLE as error:
            raise self._unreadable(request, str(error)) from error

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        """Return the row; none for what cannot be its id."""
        return None if "\0" in object_id else super().get_object(request, object_id, from_field)

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet[ModelT], search_term: str
    ) -> tuple[models.QuerySet[ModelT], bool]:
        """Find nothing by a text that no row holds."""
        if "\0" in search_term:
            return queryset.none(), False
        return super().get_search_results(request, queryset, search_term)

    def response_action(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Do an action for rows only: what is no id was not chosen from the list."""
        chosen = request.POST.getlist(ACTION_CHECKBOX_NAME)
        if len(valid_ids(self.model, chosen)) < len(chosen):
            words = (
                "Nothing was done: what was chosen is no row of this list. Choose from the list."
            )
            self.message_user(request, words, messages.ERROR)
            return None
        return super().response_action(request, *args, **kwargs)

    def _unreadable(self, request: HttpRequest, why: str) -> IncorrectLookupParameters:
        words = f"The filter in the address cannot be read: {why[:200]}"
        self.message_user(request, words.replace("\0", ""), messages.ERROR)
        return IncorrectLookupParameters(why)


def valid_ids(model: type[models.Model], texts: Iterable[Any]) -> list[Any]:
    """Return those of the texts that could be ids of the model."""
    return [text for text in texts if text and _is_id(model, str(text))]


def _is_id(model: type[models.Model], text: str) -> bool:
    try:
        model._meta.pk.to_python(text)  # noqa: SLF001  documented
    except (ValidationError, ValueError):
        return False
    return "\0" not in text
