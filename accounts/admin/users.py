"""People: their passwords and site roles. The system user can be looked at and nothing else.

Nobody rises by this page: whoever is not an owner touches only people, and gives only roles,
that are not above their own; nobody changes their own roles.
"""

from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.auth import admin as auth_admin
from django.contrib.auth import forms as auth_forms
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts import policy
from accounts.admin.base import AnyModelAdmin, PolicyForm
from accounts.admin.changes import ServiceAdmin
from accounts.admin.viewer import actor_of, viewer_of
from accounts.audit import Actor
from accounts.enums import SiteRole
from accounts.models import Membership, User
from accounts.policy import Action, Resource
from accounts.services import users

if TYPE_CHECKING:
    StockUserAdmin = auth_admin.UserAdmin[User]
else:  # takes no type arguments at run time
    StockUserAdmin = auth_admin.UserAdmin

NAME_TAKEN: Final = "Somebody has this name already; case does not matter. Choose another."
EMAIL_TAKEN: Final = "Somebody has this address already; case does not matter. Use another."
NAME_FORM: Final = "Use letters, digits, dots, dashes and underscores, a letter or digit first."
CASCADES: Final = ("membership", "group membership", "token")


class UserForm(PolicyForm, auth_forms.UserChangeForm):  # type: ignore[type-arg]
    """The stock form for this user model."""

    constraint_texts: ClassVar[dict[str, tuple[str, str]]] = {
        "user_username_unique": ("username", NAME_TAKEN),
        "user_username_form": ("username", NAME_FORM),
        "user_email_unique": ("email", EMAIL_TAKEN),
    }

    class Meta:
        model = User
        fields = ("username", "name", "email", "is_active", "roles")
        field_classes = {"username": auth_forms.UsernameField}

    def clean_username(self) -> str:
        """Refuse the system user's name too: the default manager does not see it."""
        return free_username(self.cleaned_data["username"], self.instance)


class NewUserForm(PolicyForm, auth_forms.AdminUserCreationForm):  # type: ignore[type-arg]
    """The stock form for this user model; roles are given on the page that follows."""

    constraint_texts = UserForm.constraint_texts

    class Meta:
        model = User
        fields = ("username", "name", "email")
        field_classes = {"username": auth_forms.UsernameField}

    def clean_username(self) -> str:
        """Refuse taken names, the system user's included."""
        return free_username(self.cleaned_data["username"], self.instance)


def free_username(username: str, user: User) -> str:
    """Return the name if nobody else has it."""
    if User.with_system.filter(username__iexact=username).exclude(pk=user.pk).exists():
        raise ValidationError(NAME_TAKEN)
    return username


class RoleFilter(admin.SimpleListFilter):
    """People who hold a site role, or none."""

    title = "site role"
    parameter_name = "role"

    def lookups(self, request: HttpRequest, model_admin: AnyModelAdmin) -> list[tuple[str, str]]:
        """Return the roles, and `none`."""
        return [*((str(value), str(label)) for value, label in SiteRole.choices), ("none", "None")]

    def queryset(
        self, request: HttpRequest, queryset: models.QuerySet[User]
    ) -> models.QuerySet[User]:
        """Keep who holds it."""
        role = self.value()
        if role is None:
            return queryset
        return (
            queryset.filter(roles=[]) if role == "none" else queryset.filter(roles__contains=[role])
        )


class UserAdmin(ServiceAdmin[User], StockUserAdmin):
    """Users, the system user included."""

    resource = Resource.USER
    organization_path = "memberships__organization_id"
    offered = frozenset(Action)

    form = UserForm
    add_form = NewUserForm
    add_fieldsets = (
        (
            None,
            {
                "classes": ("wide",),
                "fields": (
                    "username",
                    "name",
                    "email",
                    "usable_password",
                    "password1",
                    "password2",
                ),
            },
        ),
    )
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("name", "email")}),
        ("Access", {"fields": ("is_active", "roles", "is_system")}),
        ("Dates", {"fields": ("created_at", "last_login")}),
    )
    readonly_fields = ("is_system", "created_at", "last_login")
    list_display = (
        "username",
        "name",
        "email",
        "role_words",
        "is_active",
        "is_system",
        "last_login",
    )
    list_filter = ("is_active", "is_system", RoleFilter)
    search_fields = ("username", "name", "email")
    ordering = ("username",)
    filter_horizontal = ()

    @admin.display(description="roles")
    def role_words(self, user: User) -> str:
        """Return the site roles as people say them."""
        return ", ".join(SiteRole(role).label for role in user.roles) or "Member"

    def allows(self, request: HttpRequest, action: Action, obj: User | None = None) -> bool:
        """Ask the policy; what an organization lets one see, it does not let one change."""
        if obj is None or action == Action.READ:
            return super().allows(request, action)
        return (
            not obj.is_system
            and policy.may_change(viewer_of(request), obj)
            and super().allows(request, action)
        )

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Refuse to delete oneself."""
        return obj != viewer_of(request) and super().has_delete_permission(request, obj)

    def limit_to_organizations(self, rows: Any, where: Any) -> Any:
        """Keep the members of these organizations, each once."""
        members = Membership.objects.filter(organization_id__in=where)
        return rows.filter(pk__in=members.values("user_id"))

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Leave the password out where it cannot be changed."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return fieldsets
        return ((None, {"fields": ("username",)}), *fieldsets[1:])

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Keep people from switching themselves off or changing their own roles."""
        own = ("roles", "is_active") if obj == viewer_of(request) else ()
        return (*self.readonly_fields, *own)

    def formfield_for_dbfield(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> forms.Field | None:
        """Offer only roles the person may give."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "roles" and isinstance(field, forms.MultipleChoiceField):
            given = policy.grantable_roles(viewer_of(request))
            field.choices = [each for each in SiteRole.choices if each[0] in given]
        return field

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Let memberships and tokens go with their user, whatever their own pages offer."""
        deleted, counts, needed, protected = super().get_deleted_objects(objs, request)
        return deleted, counts, set(needed) - set(CASCADES), protected

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> Any:  # noqa: A002
        """Set a password; the person's tokens end, as they do over the API."""
        with transaction.atomic():
            response = super().user_change_password(request, id, form_url)
            user = self.get_object(request, unquote(id))
            if request.method == "POST" and response.status_code == HTTPStatus.FOUND and user:
                users.note_password_change(user=user, actor=actor_of(request), now=timezone.now())
        return response

    def create(self, obj: User, form: Any, *, actor: Actor, now: datetime) -> User:
        """Make the person, a member of no organization yet."""
        return users.create_user(
            username=obj.username,
            email=obj.email,
            name=obj.name,
            password=form.cleaned_data.get("password1") or None,
            roles=(),
            organizations=(),
            actor=actor,
            now=now,
        )

    def update(self, obj: User, form: Any, *, actor: Actor, now: datetime) -> None:
        """Change what the form changed."""
        by: dict[str, Any] = {"user_id": obj.pk, "actor": actor, "now": now}
        if {"username", "name", "email"} & set(form.changed_data):
            users.update_profile(username=obj.username, name=obj.name, email=obj.email, **by)
        if "is_active" in form.changed_data:
            change = users.activate_user if obj.is_active else users.suspend_user
            change(**by)
        if "roles" in form.changed_data:
            users.set_roles(roles=obj.roles, **by)

    def remove(self, obj: User, *, actor: Actor, now: datetime) -> None:
        """Delete a person who left no trace; whoever did is kept by the database."""
        users.delete_user(user_id=obj.pk, actor=actor, now=now)
