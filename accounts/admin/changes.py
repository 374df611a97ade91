"""Pages whose changes are the services': the same rules and audit entries as for the API.

A service that refuses is quoted on the page, and nothing is half done.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone

from accounts.admin.base import ModelT, PolicyAdmin
from accounts.admin.viewer import actor_of
from accounts.audit import Actor
from accounts.errors import AccountsError
from accounts.policy import Action


class ServiceAdmin(PolicyAdmin[ModelT]):
    """A page that says what to do, and lets services do it."""

    def create(self, obj: ModelT, form: Any, *, actor: Actor, now: datetime) -> ModelT:
        """Make the row the form describes; return it as it was stored."""
        raise NotImplementedError

    def update(self, obj: ModelT, form: Any, *, actor: Actor, now: datetime) -> None:
        """Bring the stored row to what the form describes."""
        raise NotImplementedError

    def remove(self, obj: ModelT, *, actor: Actor, now: datetime) -> None:
        """Remove the row."""
        raise NotImplementedError

    def save_model(self, request: HttpRequest, obj: ModelT, form: Any, change: bool) -> None:
        """Let the service store it."""
        by: dict[str, Any] = {"actor": actor_of(request), "now": timezone.now()}
        if change:
            self.update(obj, form, **by)
            return
        if not self.allows(request, Action.CREATE, obj):
            raise PermissionDenied
        obj.pk = self.create(obj, form, **by).pk
        obj._state.adding = False  # noqa: SLF001  documented, and Django's own save does it

    def delete_model(self, request: HttpRequest, obj: ModelT) -> None:
        """Let the service remove it."""
        self.remove(obj, actor=actor_of(request), now=timezone.now())

    def delete_queryset(self, request: HttpRequest, queryset: models.QuerySet[ModelT]) -> None:
        """Let the service remove all of them, or none."""
        with transaction.atomic():
            for each in queryset:
                self.delete_model(request, each)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Say why a service refused."""
        return self.or_say_why(request, super().changeform_view, *args, **kwargs)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Say why a service refused."""
        return self.or_say_why(request, super().delete_view, *args, **kwargs)

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Say why a service refused one of the rows an action was for."""
        return self.or_say_why(request, super().changelist_view, *args, **kwargs)

    def or_say_why(
        self, request: HttpRequest, view: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Return the view's answer, or the same page again with the service's words."""
        try:
            answer: HttpResponse = view(request, *args, **kwargs)
        except AccountsError as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
        return answer
