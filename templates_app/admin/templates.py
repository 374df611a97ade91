"""Templates and their versions. Versions never change; promoting one is an action."""

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db import models, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from accounts.admin.base import (
    READ,
    PolicyAdmin,
    PolicyForm,
    ReadableRelatedFilter,
    ReadOnlyAdmin,
    ReadOnlyInline,
    rows_link,
)
from accounts.admin.viewer import actor_of
from accounts.policy import Action, Resource
from templates_app import services
from templates_app.admin.saving import SavedByServices
from templates_app.errors import TemplatesError
from templates_app.models import ParameterDefinition, Preset, Template, TemplateVersion


class TemplateForm(PolicyForm):
    """Its name is unique among the live templates of its organization."""

    constraint_texts: ClassVar[dict[str, tuple[str, str]]] = {
        "template_name_unique_while_live": (
            "name",
            "The organization has a live template of this name already.",
        )
    }


@admin.register(Template)
class TemplateAdmin(SavedByServices, PolicyAdmin[Template]):
    """Templates: made and deleted elsewhere, with their first version and after their pools."""

    resource = Resource.TEMPLATE
    organization_path = "organization_id"
    offered = READ | {Action.UPDATE}
    form = TemplateForm
    fieldsets = (
        (None, {"fields": ("organization", "name", "display_name", "icon", "description")}),
        ("Versions", {"fields": ("active_version", "versions", "deprecation_message")}),
        (
            "Workspaces made from it",
            {
                "fields": (
                    "default_ttl_seconds",
                    "allow_user_autostart",
                    "allow_user_autostop",
                    "time_til_dormant_seconds",
                    "time_til_dormant_autodelete_seconds",
                )
            },
        ),
        ("Dates", {"fields": ("created_at", "updated_at", "deleted_at")}),
    )
    readonly_fields = (
        "organization",
        "active_version",
        "versions",
        "created_at",
        "updated_at",
        "deleted_at",
    )
    list_display = (
        "name",
        "display_name",
        "organization",
        "active_version",
        "is_deprecated",
        "deleted_at",
        "updated_at",
    )
    list_select_related = ("organization", "active_version")
    list_filter = (
        ("organization", ReadableRelatedFilter),
        ("deleted_at", admin.EmptyFieldListFilter),
        ("deprecation_message", admin.EmptyFieldListFilter),
    )
    search_fields = ("name", "display_name")
    ordering = ("organization__name", "name")

    def has_change_permission(self, request: HttpRequest, obj: Template | None = None) -> bool:
        """Leave deleted templates as they are."""
        gone = obj is not None and obj.deleted_at is not None
        return not gone and super().has_change_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: Template, form: Any, change: bool) -> None:
        """Save what the form changed, as pages and API do."""
        services.edit_template(
            template_id=obj.pk,
            updated_at=None,
            changes=services.TemplateChanges(
                **{name: form.cleaned_data[name] for name in form.changed_data}
            ),
            actor=actor_of(request),
            now=timezone.now(),
        )

    @admin.display(description="deprecated", boolean=True)
    def is_deprecated(self, template: Template) -> bool:
        """Return whether it makes no new workspaces any more."""
        return bool(template.deprecation_message)

    @admin.display(description="all versions")
    def versions(self, template: Template) -> SafeString:
        """Link to its versions, where one is promoted."""
        return rows_link(TemplateVersion, "See and promote", template__id__exact=template.pk)


class ParameterDefinitionInline(ReadOnlyInline):
    """What a version asks for."""

    model = ParameterDefinition
    fields = ("name", "type", "default", "required", "mutable", "ephemeral", "options")


class PresetInline(ReadOnlyInline):
    """A version's presets; each has its own page."""

    model = Preset
    fields = ("name", "is_default", "desired_instances", "ttl_seconds", "prebuild_status")
    show_change_link = True


@admin.register(TemplateVersion)
class TemplateVersionAdmin(ReadOnlyAdmin[TemplateVersion]):
    """Versions: immutable; one of each template is active."""

    resource = Resource.TEMPLATE
    organization_path = "template__organization_id"
    laid_out_fields = ("startup_script",)
    inlines = (ParameterDefinitionInline, PresetInline)
    list_display = ("name", "template", "is_active", "message", "created_by", "created_at")
    list_select_related = ("template", "created_by")
    list_filter = (
        ("template__organization", ReadableRelatedFilter),
        ("template", ReadableRelatedFilter),
    )
    search_fields = ("name", "message", "template__name", "template__display_name")
    ordering = ("template__name", "-created_at")
    actions = ("promote",)

    @admin.display(description="active", boolean=True)
    def is_active(self, version: TemplateVersion) -> bool:
        """Return whether new workspaces and pools use it."""
        return version.template.active_version_id == version.pk

    @admin.action(description="Promote this version", permissions=["update"])
    def promote(self, request: HttpRequest, queryset: models.QuerySet[TemplateVersion]) -> None:
        """Make versions the active ones; at most one of each template can be."""
        versions = self.rows_to_change(request, queryset)
        templates = [version.template for version in versions]
        if len({template.pk for template in templates}) < len(versions):
            self.message_user(request, "Select one version of a template.", messages.ERROR)
            return
        try:
            self._promote_each(request, versions)
        except TemplatesError as error:
            self.message_user(request, str(error), messages.ERROR)
            return
        names = ", ".join(f"{version.template} {version.name}" for version in versions)
        self.message_user(request, f"Promoted: {names}.", messages.SUCCESS)
        for version in versions:
            self._warn(request, version)

    def _warn(self, request: HttpRequest, version: TemplateVersion) -> None:
        """Say which presets of a promoted version will fail, and of what."""
        for one in services.promotion_problems(version.pk):
            self.message_user(
                request,
                f'Nothing can be built from preset "{one.preset_name}" of {version.template} '
                f"{version.name}. {one}",
                messages.WARNING,
            )

    @transaction.atomic
    def _promote_each(self, request: HttpRequest, versions: Iterable[TemplateVersion]) -> None:
        """Promote all of them or none."""
        for version in versions:
            services.promote_version(
                template_id=version.template_id,
                version_id=version.pk,
                now=timezone.now(),
                actor=actor_of(request),
            )
            self.log_change(request, version, "Promoted.")


@admin.register(ParameterDefinition)
class ParameterDefinitionAdmin(ReadOnlyAdmin[ParameterDefinition]):
    """What versions ask for; immutable with them."""

    resource = Resource.TEMPLATE
    organization_path = "version__template__organization_id"
    list_display = ("name", "type", "template", "version", "default", "required", "mutable")
    list_select_related = ("version__template",)
    list_filter = ("type", ("version__template", ReadableRelatedFilter))
    search_fields = ("name", "version__template__name")
    ordering = ("version__template__name", "-version__created_at", "position")

    @admin.display(ordering="version__template__name")
    def template(self, definition: ParameterDefinition) -> str:
        """Return whose it is."""
        return str(definition.version.template)
