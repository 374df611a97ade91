"""What the pages of cycles read."""

from typing import Final

from django.db.models import F, Q, QuerySet

from accounts.models import User
from accounts.policy import Resource, subject_of
from prebuilds.models import ReconcileDecision, ReconcileRun

DID_SOMETHING: Final = (
    Q(created__gt=0)
    | Q(deleted__gt=0)
    | Q(cancelled__gt=0)
    | Q(held__gt=0)
    | Q(presets_failed__gt=0)
    | ~Q(error="")
)


def list_runs(*, trigger: str, only_busy: bool) -> QuerySet[ReconcileRun]:
    """Return cycles with how long each took, of one trigger when it is named."""
    runs = ReconcileRun.objects.annotate(elapsed=F("completed_at") - F("started_at"))
    if trigger:
        runs = runs.filter(trigger=trigger)
    return runs.filter(DID_SOMETHING) if only_busy else runs


def decisions_of(run: ReconcileRun, user: User) -> QuerySet[ReconcileDecision]:
    """Return the cycle's decisions about presets the person may read, by template and preset."""
    rows = ReconcileDecision.objects.filter(run=run).select_related("preset__version__template")
    organizations = subject_of(user).readable_organizations(Resource.TEMPLATE)
    if organizations is not None:
        rows = rows.filter(preset__version__template__organization_id__in=organizations)
    return rows.order_by("preset__version__template__name", "preset__name", "pk")
