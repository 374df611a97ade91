"""Rows that tie a person to something: an organization, a group."""

from typing import Any, ClassVar

from django.http import HttpRequest

from accounts.admin.changes import ServiceAdmin
from accounts.policy import Action
from accounts.system import PREBUILDS_USER_ID


class BelongsToPeople(ServiceAdmin[Any]):
    """Rows that tie a user to something: who may update the something may add and remove them."""

    offered = frozenset(Action)
    ends: ClassVar[tuple[str, ...]]

    def allows(self, request: HttpRequest, action: Action, obj: Any = None) -> bool:
        """Ask for what the row ties the user to; the system user's rows stay as they are."""
        if action == Action.READ:
            return super().allows(request, action, obj)
        fixed = obj is not None and obj.user_id == PREBUILDS_USER_ID
        return not fixed and super().allows(request, Action.UPDATE, obj)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer people only; what one may not update is refused when saving."""
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if field is not None and db_field.name == "user":
            field.queryset = field.queryset.filter(is_system=False)
        return field

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Fix both ends once the row exists."""
        return self.ends if obj else ()
