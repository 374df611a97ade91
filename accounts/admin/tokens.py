"""Everybody's API tokens, without what would let one use them."""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts import policy
from accounts.admin.base import ReadOnlyAdmin
from accounts.admin.viewer import actor_of, viewer_of
from accounts.models import Token
from accounts.policy import Resource
from accounts.services import tokens


class TokenAdmin(ReadOnlyAdmin[Token]):
    """API tokens, without what would let one use them."""

    resource = Resource.USER
    list_display = (
        "name",
        "user",
        "scope",
        "created_at",
        "expires_at",
        "last_used_at",
        "revoked_at",
    )
    list_select_related = ("user",)
    list_filter = ("scope", ("revoked_at", admin.EmptyFieldListFilter))
    search_fields = ("name", "user__username")
    ordering = ("-created_at",)
    actions = ("revoke",)

    @admin.action(description="Revoke selected tokens", permissions=["update"])
    def revoke(self, request: HttpRequest, queryset: models.QuerySet[Token]) -> None:
        """End tokens at once; the rows stay as a record."""
        chosen = self.rows_to_change(
            request, queryset.filter(revoked_at__isnull=True).select_related("user")
        )
        if not all(policy.may_change(viewer_of(request), token.user) for token in chosen):
            raise PermissionDenied
        with transaction.atomic():
            for each in chosen:
                tokens.revoke_token(token=each, actor=actor_of(request), now=timezone.now())
        self.message_user(request, f"Tokens revoked: {len(chosen)}.", messages.SUCCESS)
