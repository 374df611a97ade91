"""The admin pages of the pool itself, and the house's name on the whole admin.

Cycles, decisions, claims, notices and mails are history, read-only. The settings page pauses and
resumes by its buttons. django-q's rows are in `queue`.
"""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from accounts.admin.base import (
    ReadableRelatedFilter,
    ReadOnlyAdmin,
    rows_link,
)
from accounts.admin.viewer import actor_of
from accounts.policy import Action, Resource
from prebuilds import observation, services
from prebuilds.admin import queue
from prebuilds.models import (
    Claim,
    Mail,
    Notice,
    PrebuildsSettings,
    ReconcileDecision,
    ReconcileRun,
)

queue.register_pages()
admin.site.site_header = "Prebuilds admin"
admin.site.site_title = "Prebuilds admin"
admin.site.index_title = "All rows"
admin.site.site_url = "/"


def change_password(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
    """Send people to their own page: there the tokens end as well, and the audit log has it."""
    return redirect("dashboard:account_password")


admin.site.password_change = change_password  # type: ignore[method-assign]


@admin.register(PrebuildsSettings)
class PrebuildsSettingsAdmin(ReadOnlyAdmin[PrebuildsSettings]):
    """The one row of settings, and the buttons that change it."""

    resource = Resource.PREBUILDS_SETTINGS
    list_display = ("state", "paused_by", "paused_at", "paused_until", "pause_reason")
    list_select_related = ("paused_by",)
    ordering = ("id",)

    @admin.display(description="reconciliation")
    def state(self, row: PrebuildsSettings) -> str:
        """Return whether cycles do anything."""
        return str(row).capitalize()

    def get_urls(self) -> list[URLPattern]:
        """Add the two buttons' addresses."""
        return [
            path(
                f"{name}/",
                self.admin_site.admin_view(require_POST(view)),
                name=f"prebuilds_prebuildssettings_{name}",
            )
            for name, view in (("pause", self.pause), ("resume", self.resume))
        ] + super().get_urls()

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Tell the page which button it shows."""
        paused = observation.is_paused(timezone.now())
        buttons = {"paused": paused, "may_pause": self.has_update_permission(request)}
        return super().changelist_view(request, {**buttons, **(extra_context or {})})

    def pause(self, request: HttpRequest) -> HttpResponse:
        """Pause reconciliation until somebody resumes it."""
        self._check(request)
        changed = services.pause_reconciliation(
            actor=actor_of(request),
            reason=request.POST.get("reason", "").strip(),
            until=None,
            now=timezone.now(),
        )
        done = "Reconciliation is paused." if changed else "It was paused already; reason updated."
        return self._answer(request, done)

    def resume(self, request: HttpRequest) -> HttpResponse:
        """Resume reconciliation."""
        self._check(request)
        changed = services.resume_reconciliation(actor=actor_of(request), now=timezone.now())
        return self._answer(request, "Reconciliation goes on." if changed else "It was not paused.")

    def _check(self, request: HttpRequest) -> None:
        if not self.allows(request, Action.UPDATE):
            raise PermissionDenied

    def _answer(self, request: HttpRequest, text: str) -> HttpResponse:
        row = PrebuildsSettings.objects.filter(pk=PrebuildsSettings.SINGLETON_ID).first()
        if row is not None:
            self.log_change(request, row, text)
        self.message_user(request, text, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:prebuilds_prebuildssettings_changelist"))


@admin.register(ReconcileRun)
class ReconcileRunAdmin(ReadOnlyAdmin[ReconcileRun]):
    """Cycles: the reconciler's heartbeat."""

    resource = Resource.RECONCILE_RUN
    extra_fields = ("elapsed", "decisions")
    list_display = (
        "started_at",
        "trigger",
        "elapsed",
        "lock_acquired",
        "paused",
        "presets_reconciled",
        "presets_failed",
        "created",
        "deleted",
        "cancelled",
        "held",
    )
    list_filter = ("trigger", "paused", "lock_acquired", ("error", admin.EmptyFieldListFilter))
    date_hierarchy = "started_at"
    ordering = ("-started_at", "-id")

    @admin.display()
    def elapsed(self, run: ReconcileRun) -> str:
        """Return how long it took."""
        if run.completed_at is None:
            return "unfinished"
        return f"{(run.completed_at - run.started_at).total_seconds():.2f} s"

    @admin.display(description="decisions")
    def decisions(self, run: ReconcileRun) -> SafeString:
        """Link to what it decided."""
        return rows_link(ReconcileDecision, "See its decisions", run__id__exact=run.pk)


@admin.register(ReconcileDecision)
class ReconcileDecisionAdmin(ReadOnlyAdmin[ReconcileDecision]):
    """What cycles decided, for each preset where they did or withheld something."""

    resource = Resource.RECONCILE_RUN
    organization_path = "preset__version__template__organization_id"
    list_display = ("id", "started_at", "template", "preset", "action_words", "error")
    list_select_related = ("run", "preset__version__template")
    list_filter = (
        ("preset__version__template", ReadableRelatedFilter),
        ("error", admin.EmptyFieldListFilter),
    )
    search_fields = ("preset__name", "preset__version__template__name")
    ordering = ("-run_id", "id")

    @admin.display(description="cycle", ordering="run__started_at")
    def started_at(self, decision: ReconcileDecision) -> Any:
        """Return when the cycle began."""
        return decision.run.started_at

    @admin.display(ordering="preset__version__template__name")
    def template(self, decision: ReconcileDecision) -> str:
        """Return whose preset it is."""
        return f"{decision.preset.version.template} {decision.preset.version}"

    @admin.display(description="actions")
    def action_words(self, decision: ReconcileDecision) -> str:
        """Return what was done, each once."""
        words = (
            f"{each.get('action')} ({each.get('reason')})".replace("_", " ")
            for each in decision.actions
        )
        return ", ".join(dict.fromkeys(words)) or "-"


@admin.register(Claim)
class ClaimAdmin(ReadOnlyAdmin[Claim]):
    """Who asked for a workspace, and whether one was ready."""

    resource = Resource.WORKSPACE
    organization_path = "template__organization_id"
    list_display = (
        "created_at",
        "user",
        "outcome",
        "reason",
        "template",
        "preset",
        "workspace",
        "seconds",
    )
    list_select_related = ("user", "template", "preset", "workspace")
    list_filter = ("outcome", "reason", ("template", ReadableRelatedFilter))
    search_fields = ("user__username", "workspace__name", "preset__name", "template__name")
    date_hierarchy = "created_at"
    ordering = ("-created_at", "id")

    @admin.display(description="seconds", ordering="duration_seconds")
    def seconds(self, claim: Claim) -> str:
        """Return how long the request took."""
        return f"{claim.duration_seconds:.3f}"


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin[Notice]):
    """What was or is the matter; a notice opens and closes by itself."""

    resource = Resource.RECONCILE_RUN
    organization_path = "organization_id"
    laid_out_fields = ("detail",)
    list_display = (
        "opened_at",
        "kind",
        "template",
        "preset",
        "detail",
        "closed_at",
        "cold_starts",
    )
    list_select_related = ("preset__version__template",)
    list_filter = (
        ("closed_at", admin.EmptyFieldListFilter),
        "kind",
        ("preset__version__template", ReadableRelatedFilter),
    )
    search_fields = ("detail", "preset__name", "preset__version__template__name")
    date_hierarchy = "opened_at"
    ordering = ("-opened_at", "id")

    @admin.display(ordering="preset__version__template__name")
    def template(self, notice: Notice) -> str:
        """Return whose preset it is."""
        version = notice.preset and notice.preset.version
        return f"{version.template} {version}" if version else "-"


@admin.register(Mail)
class MailAdmin(ReadOnlyAdmin[Mail]):
    """What was or is to be mailed; who may read the log of all changes may read these."""

    resource = Resource.AUDIT_LOG
    hidden_fields = ("html", "digest_on")
    laid_out_fields = ("text", "error")
    list_display = (
        "created_at",
        "state",
        "recipient",
        "subject",
        "attempts",
        "next_try_at",
        "error",
    )
    list_select_related = ("recipient",)
    list_filter = (
        ("sent_at", admin.EmptyFieldListFilter),
        ("given_up_at", admin.EmptyFieldListFilter),
        ("error", admin.EmptyFieldListFilter),
        "step",
    )
    search_fields = ("recipient__username", "recipient__email", "subject", "error")
    date_hierarchy = "created_at"
    ordering = ("-created_at", "id")

    @admin.display()
    def state(self, mail: Mail) -> str:
        """Return what became of it."""
        if mail.given_up_at is not None:
            return "given up"
        return "waiting" if mail.sent_at is None else "sent"
