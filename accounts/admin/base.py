"""What all admin pages share: accounts.policy decides, and rows of other organizations stay unseen.

Django's own permission tables are never asked. A page says which resource its rows are, where
their organization stands, and what it offers at all; the person's roles do the rest.
"""

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar, cast
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.contrib import admin
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied, ValidationError
from django.db import models
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts import policy
from accounts.admin.hostile import Autocomplete, HostileInputAnswered
from accounts.admin.viewer import viewer_of
from accounts.policy import Action, Resource

ModelT = TypeVar("ModelT", bound=models.Model)

if TYPE_CHECKING:
    ModelForm = forms.ModelForm[Any]
    TabularInline = admin.TabularInline[Any, Any]
    AnyModelAdmin = admin.ModelAdmin[Any]
else:  # Django's classes take no type arguments at run time
    ModelForm = forms.ModelForm
    TabularInline = admin.TabularInline
    AnyModelAdmin = admin.ModelAdmin


READ: Final = frozenset({Action.READ})
SECRETS: Final = (
    *("password", "digest", "token_digest", "lease"),
    # A driver may keep credentials in what it left behind; a key repeats its owner's request.
    *("provisioner_state", "idempotency_key", "request_digest"),
)


class PolicyForm(ModelForm):
    """A form whose errors stand at the field, also when the page shows half of a rule read-only."""

    constraint_texts: ClassVar[dict[str, tuple[str, str]]] = {}
    """Constraint name → the field its error belongs to, and what it says."""

    def _post_clean(self) -> None:
        """Check all of the table's constraints, whichever fields the form leaves out.

        Django checks only those whose fields are all on the form, and says only their names.
        """
        said = list(self.non_field_errors())
        super()._post_clean()  # type: ignore[misc]
        self.errors.pop(NON_FIELD_ERRORS, None)
        for each in said:
            self.add_error(None, each)
        failed = set(self.errors)
        for model, constraints in self.instance.get_constraints():
            for constraint in constraints:
                try:
                    constraint.validate(model, self.instance, exclude=failed)
                except ValidationError as error:
                    told = self.constraint_texts.get(constraint.name)
                    self.add_error(*(told or (None, error)))


class ReadableRelatedFilter(admin.RelatedFieldListFilter):
    """A filter that offers only what its own admin page would list."""

    def field_choices(
        self, field: Any, request: HttpRequest, model_admin: AnyModelAdmin
    ) -> list[Any]:
        """Return (key, text) of the rows the person may see."""
        related = model_admin.admin_site.get_model_admin(field.remote_field.model)
        return [(str(row.pk), str(row)) for row in related.get_queryset(request)]


class PolicyAdmin(HostileInputAnswered[ModelT]):
    """An admin page that asks the policy table."""

    form: type[ModelForm] = PolicyForm
    show_full_result_count = False
    list_per_page = 50

    resource: ClassVar[Resource]
    organization_path: ClassVar[str] = ""
    """Lookup from a row to its organization's id; empty: only site roles count."""
    offered: ClassVar[frozenset[Action]] = READ
    """What this page offers at all, whoever asks."""

    # --- who may ---------------------------------------------------------------------------
    def allows(self, request: HttpRequest, action: Action, obj: ModelT | None = None) -> bool:
        """Return what the policy says about a row, or without one about any row there may be."""
        subject = policy.subject_of(viewer_of(request))
        if subject.can(action, self.resource):
            return True
        if not self.organization_path:
            return False
        places = subject.organization_roles if obj is None else [self.organization_id_of(obj)]
        return any(
            subject.can(action, self.resource, organization_id=place) for place in places if place
        )

    def offers(self, request: HttpRequest, action: Action, obj: ModelT | None = None) -> bool:
        """Return whether the page offers it and the policy allows it."""
        return action in self.offered and self.allows(request, action, obj)

    def organization_id_of(self, obj: ModelT) -> UUID | None:
        """Return where a row lives, by walking `organization_path`."""
        value: Any = obj
        for name in self.organization_path.split("__"):
            value = getattr(value, name)
        return cast("UUID | None", value)

    def rows_to_change(
        self, request: HttpRequest, queryset: models.QuerySet[ModelT]
    ) -> list[ModelT]:
        """Return an action's rows; refuse all of them if one may not be updated."""
        rows = list(queryset)
        if not all(self.allows(request, Action.UPDATE, row) for row in rows):
            raise PermissionDenied
        return rows

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Show the page in the index to those who may read something on it."""
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: ModelT | None = None) -> bool:
        """Ask for read."""
        return self.offers(request, Action.READ, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Ask for create."""
        return self.offers(request, Action.CREATE)

    def has_change_permission(self, request: HttpRequest, obj: ModelT | None = None) -> bool:
        """Ask for update."""
        return self.offers(request, Action.UPDATE, obj)

    def has_delete_permission(self, request: HttpRequest, obj: ModelT | None = None) -> bool:
        """Ask for delete."""
        return self.offers(request, Action.DELETE, obj)

    def has_update_permission(self, request: HttpRequest) -> bool:
        """Offer an action (`permissions=["update"]`), also where the form is read-only."""
        return self.allows(request, Action.UPDATE)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Keep filters in the address from feeling their way along a stored secret."""
        secret = any(part in SECRETS for part in lookup.split("__"))
        return not secret and super().lookup_allowed(lookup, value, request)

    # --- which rows ------------------------------------------------------------------------
    def get_queryset(self, request: HttpRequest) -> models.QuerySet[ModelT]:
        """Return the rows of the organizations the person may read, system users' included."""
        ordering = self.get_ordering(request) or self.opts.ordering or ("pk",)
        rows = self.opts.base_manager.order_by(*ordering)
        where = policy.subject_of(viewer_of(request)).readable_organizations(self.resource)
        if where is None:
            return rows
        return self.limit_to_organizations(rows, where) if self.organization_path else rows.none()

    def limit_to_organizations(
        self, rows: models.QuerySet[ModelT], where: Iterable[UUID]
    ) -> models.QuerySet[ModelT]:
        """Keep the rows that live there."""
        return rows.filter(**{f"{self.organization_path}__in": list(where)})

    # --- forms -----------------------------------------------------------------------------
    def formfield_for_dbfield(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> forms.Field | None:
        """Show a list of known words as checkboxes."""
        if isinstance(db_field, ArrayField) and db_field.base_field.choices:
            return forms.MultipleChoiceField(
                choices=db_field.base_field.choices,
                widget=forms.CheckboxSelectMultiple,
                required=False,
                help_text=db_field.help_text,
            )
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Accept only rows the person may see."""
        related = self.admin_site.get_model_admin(db_field.remote_field.model)
        kwargs.setdefault("queryset", related.get_queryset(request))
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs.setdefault("widget", Autocomplete(db_field, self.admin_site))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: ModelT, form: Any, change: bool) -> None:
        """Write only what the form changed: the rest may have moved on meanwhile."""
        if not change:
            if not self.allows(request, Action.CREATE, obj):
                raise PermissionDenied
            obj.save(force_insert=True)
            return
        fields = self.opts.concrete_fields
        changed = {field.name for field in fields} & set(form.changed_data)
        stamps = {field.name for field in fields if getattr(field, "auto_now", False)}
        if changed:
            obj.save(update_fields=changed | stamps)


class ReadOnlyAdmin(PolicyAdmin[ModelT]):
    """A page that shows every field but the hidden ones, and changes nothing."""

    hidden_fields: ClassVar[tuple[str, ...]] = ()
    extra_fields: ClassVar[tuple[str, ...]] = ()
    laid_out_fields: ClassVar[tuple[str, ...]] = ()
    """Texts to show line by line, as JSON is."""

    def get_fields(self, request: HttpRequest, obj: ModelT | None = None) -> list[Any]:
        """Return all fields, JSON and long texts laid out for reading."""
        hidden = {*SECRETS, *self.hidden_fields}
        shown = [
            preformatted(field) if self._is_laid_out(field) else field.name
            for field in self.opts.concrete_fields
            if field.name not in hidden
        ]
        return [*shown, *self.extra_fields]

    def get_readonly_fields(self, request: HttpRequest, obj: ModelT | None = None) -> list[Any]:
        """Return the same: nothing here is an input."""
        return self.get_fields(request, obj)

    def _is_laid_out(self, field: Any) -> bool:
        return isinstance(field, models.JSONField) or field.name in self.laid_out_fields


class ReadOnlyInline(TabularInline):
    """Rows of the page's object, to look at; who may see the page may see them."""

    extra = 0
    can_delete = False
    related: ClassVar[tuple[str, ...]] = ()
    """Foreign keys its columns read."""

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return all its columns."""
        return self.fields or ()

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        """Read what the columns need in one statement."""
        rows = super().get_queryset(request)
        return rows.select_related(*self.related) if self.related else rows

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Allow: the page itself was asked already."""
        return True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False


def preformatted(field: Any) -> Callable[[Any], SafeString | str]:
    """Return a column that shows a JSON field or a text as it is, line by line."""

    @admin.display(description=str(field.verbose_name))
    def show(obj: Any) -> SafeString | str:
        value = getattr(obj, field.name)
        text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
        return format_html('<pre class="preformatted">{}</pre>', text) if value else "-"

    show.__name__ = field.name
    return show


def rows_link(model: type[models.Model], text: str, **lookups: Any) -> SafeString:
    """Return a link to the list of another model, filtered."""
    page = admin.site.get_model_admin(model)
    address = reverse(f"admin:{page.opts.app_label}_{page.opts.model_name}_changelist")
    return format_html('<a href="{}?{}">{}</a>', address, urlencode(lookups), text)


def join_links(*links: SafeString) -> SafeString:
    """Return links one after the other."""
    return format_html_join(" · ", "{}", ((link,) for link in links))
