"""Presets: only what a running pool can follow is edited here.

Parameter values belong to the preset's own page: changing one replaces the whole pool.
"""

from dataclasses import fields
from typing import Any, ClassVar, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.forms import BaseInlineFormSet
from django.http import HttpRequest
from django.utils import timezone

from accounts.admin.base import (
    READ,
    PolicyAdmin,
    PolicyForm,
    ReadableRelatedFilter,
    ReadOnlyInline,
    TabularInline,
)
from accounts.admin.viewer import actor_of
from accounts.policy import Action, Resource
from templates_app import schedules, services
from templates_app.admin.saving import SavedByServices
from templates_app.models import (
    TTL_MAX_SECONDS,
    TTL_MIN_SECONDS,
    Preset,
    PresetParameter,
    PresetSchedule,
)

TTL_TEXT: Final = (
    f"Use 0 for ever, or between {TTL_MIN_SECONDS} (1 hour) and {TTL_MAX_SECONDS} (1 year) seconds."
)


class PresetForm(PolicyForm):
    """A preset's prebuild settings, checked as saving them through the services is."""

    constraint_texts: ClassVar[dict[str, tuple[str, str]]] = {
        "preset_ttl_in_range": ("ttl_seconds", TTL_TEXT),
        "preset_one_default": (
            "is_default",
            "Another preset of this version is the default; take the mark from that one first.",
        ),
    }

    seen_revision = forms.IntegerField(required=False, widget=forms.HiddenInput)
    """The state the form was filled in on."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["seen_revision"] = self.instance.revision

    def changes(self) -> dict[str, Any]:
        """Return the preset's fields that were changed."""
        names = {each.name for each in fields(services.PresetChanges)} & set(self.changed_data)
        return {name: self.cleaned_data[name] for name in names}

    def clean_scheduling_timezone(self) -> str:
        """Accept a zone that loads."""
        zone = str(self.cleaned_data["scheduling_timezone"])
        try:
            schedules.load_zone(zone)
        except schedules.ScheduleError as error:
            raise ValidationError(str(error)) from error
        return zone


class ScheduleFormSet(BaseInlineFormSet):  # type: ignore[type-arg]
    """A preset's schedules, which must be readable and not overlap."""

    def validate_unique(self) -> None:
        """Do nothing: two equal rows overlap, and that is said better below."""

    def clean(self) -> None:
        """Put every problem at the rows that have it."""
        super().clean()
        rows = self._kept_forms()
        problems = schedules.validate_schedules(
            zone=self.instance.scheduling_timezone,
            expressions=[form.cleaned_data["cron_expression"] for form in rows],
        )
        for problem in problems:
            for index in {problem.index, problem.other_index}:
                if index is not None:  # else it is the zone's, told at its own field
                    rows[index].add_error("cron_expression", problem.message)

    def wanted_rows(self) -> list[tuple[str, int]]:
        """Return the rows as they are to be, in the order they stand."""
        return [
            (form.cleaned_data["cron_expression"], form.cleaned_data["desired_instances"])
            for form in self._kept_forms()
        ]

    def _kept_forms(self) -> list[Any]:
        return [
            form
            for form in self.forms
            if not self._should_delete_form(form) and form.cleaned_data.get("cron_expression")  # type: ignore[attr-defined]
        ]


class PresetScheduleInline(TabularInline):
    """When how many are wanted; whoever may change the preset may change these."""

    model = PresetSchedule
    formset = ScheduleFormSet
    fields = ("cron_expression", "desired_instances")
    extra = 0
    verbose_name_plural = "schedules, each like * 9-18 * * 1-5"

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Allow: the page itself was asked already."""
        return True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Ask for the preset."""
        return self.has_change_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Ask for the preset."""
        return self.admin_site.get_model_admin(Preset).has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Ask for the preset."""
        return self.has_change_permission(request, obj)


class PresetParameterInline(ReadOnlyInline):
    """The values a preset sets."""

    model = PresetParameter
    fields = ("name", "value")


class PoolFilter(admin.SimpleListFilter):
    """Presets that keep a pool, and those of active versions among them."""

    title = "pool"
    parameter_name = "pool"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the choices."""
        return [
            ("active", "Active pool"),
            ("draining", "Pool of an old version"),
            ("no", "No pool"),
        ]

    def queryset(
        self, request: HttpRequest, queryset: models.QuerySet[Preset]
    ) -> models.QuerySet[Preset]:
        """Keep what was chosen."""
        active = models.Q(version__template__active_version=models.F("version"))
        match self.value():
            case "active":
                return queryset.filter(active, desired_instances__isnull=False)
            case "draining":
                return queryset.filter(~active, desired_instances__isnull=False)
            case "no":
                return queryset.filter(desired_instances__isnull=True)
        return queryset


@admin.register(Preset)
class PresetAdmin(SavedByServices, PolicyAdmin[Preset]):
    """Presets and their pools. They come with a version and stay with it."""

    resource = Resource.TEMPLATE
    organization_path = "version__template__organization_id"
    offered = READ | {Action.UPDATE}
    form = PresetForm
    inlines = (PresetScheduleInline, PresetParameterInline)
    fieldsets = (
        (None, {"fields": ("template", "version", "name", "description", "icon", "is_default")}),
        (
            "Pool",
            {
                "fields": (
                    "desired_instances",
                    "ttl_seconds",
                    "scheduling_timezone",
                    "seen_revision",
                )
            },
        ),
        (
            "State",
            {
                "fields": (
                    "prebuild_status",
                    "status_reason",
                    "status_since",
                    "last_invalidated_at",
                    "failures_reset_at",
                    "revision",
                    "created_at",
                    "updated_at",
                )
            },
        ),
    )
    readonly_fields = (
        "template",
        "version",
        "name",
        "prebuild_status",
        "status_reason",
        "status_since",
        "last_invalidated_at",
        "failures_reset_at",
        "revision",
        "created_at",
        "updated_at",
    )
    list_display = (
        "name",
        "template",
        "version",
        "is_active",
        "desired_instances",
        "ttl_seconds",
        "prebuild_status",
        "last_invalidated_at",
    )
    list_select_related = ("version__template",)
    list_filter = ("prebuild_status", PoolFilter, ("version__template", ReadableRelatedFilter))
    search_fields = ("name", "version__name", "version__template__name")
    ordering = ("version__template__name", "-version__created_at", "name")
    actions = ("retry", "invalidate")

    @admin.display(ordering="version__template__name")
    def template(self, preset: Preset) -> str:
        """Return whose it is."""
        return str(preset.version.template)

    @admin.display(description="active", boolean=True)
    def is_active(self, preset: Preset) -> bool:
        """Return whether its version is the active one of a usable template."""
        template = preset.version.template
        return template.is_usable and template.active_version_id == preset.version_id

    def save_model(self, request: HttpRequest, obj: Preset, form: Any, change: bool) -> None:
        """Write nothing yet: settings and schedules are one edit."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Save as pages and API do, with one check, one revision and one audit entry."""
        changes = form.changes()
        for formset in formsets:
            formset.save(commit=False)  # lists what changed, for the admin's own log
            if isinstance(formset, ScheduleFormSet) and formset.has_changed():
                changes["schedules"] = formset.wanted_rows()
        services.edit_preset(
            preset_id=form.instance.pk,
            revision=form.cleaned_data["seen_revision"],
            changes=services.PresetChanges(**changes),
            actor=actor_of(request),
            now=timezone.now(),
        )

    @admin.action(description="Retry: forget the failures so far", permissions=["change"])
    def retry(self, request: HttpRequest, queryset: models.QuerySet[Preset]) -> None:
        """Let the next cycle try again."""
        presets = self.rows_to_change(request, queryset)
        with transaction.atomic():
            for preset in presets:
                services.retry_preset(
                    preset_id=preset.pk, now=timezone.now(), actor=actor_of(request)
                )
                self.log_change(request, preset, "Retry.")
        self.message_user(
            request, f"The next cycle tries again; presets: {len(presets)}.", messages.SUCCESS
        )

    @admin.action(
        description="Invalidate prebuilds: replace all that exist", permissions=["change"]
    )
    def invalidate(self, request: HttpRequest, queryset: models.QuerySet[Preset]) -> None:
        """Expire every prebuild made before now."""
        presets = self.rows_to_change(request, queryset)
        with transaction.atomic():
            services.invalidate_presets(
                preset_ids=[preset.pk for preset in presets],
                now=timezone.now(),
                actor=actor_of(request),
            )
            for preset in presets:
                self.log_change(request, preset, "Invalidated prebuilds.")
        self.message_user(
            request,
            f"Prebuilds made before now will be replaced; presets: {len(presets)}.",
            messages.SUCCESS,
        )
