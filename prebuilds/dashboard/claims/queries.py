"""What the page of claims reads: a constant number of statements."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, F, FloatField, Q, QuerySet, Value
from django.db.models.functions import Coalesce

from accounts.models import User
from accounts.policy import Resource, subject_of
from prebuilds import selectors
from prebuilds.models import ClaimOutcome
from prebuilds.selectors import ClaimFilter
from prebuilds.trends import Percentile, Served
from templates_app.models import Preset, Template

OFFERED: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """All matching claims together: how many were warm, and what 19 of 20 waited less than."""

    served: Served
    wait: timedelta | None


def list_claims(viewer: User, asked: ClaimFilter) -> "QuerySet[Any, Any]":
    """Return the claims with what a row shows; `waited` sorts those not known yet as none."""
    return (
        selectors.list_claims(viewer, asked)
        .select_related("user", "template", "preset__version", "workspace")
        .annotate(waited=Coalesce(F("wait_seconds"), Value(-1.0), output_field=FloatField()))
    )


def sum_up(claims: "QuerySet[Any, Any]") -> Sums:
    """Return the sums of what `list_claims` returned; one statement."""
    found = claims.order_by().aggregate(
        warm=Count("pk", filter=Q(outcome=ClaimOutcome.WARM)),
        cold=Count("pk", filter=Q(outcome=ClaimOutcome.COLD)),
        wait=Percentile("wait_seconds", fraction=0.95),
    )
    seconds = found["wait"]
    return Sums(
        served=Served(warm=found["warm"], cold=found["cold"]),
        wait=None if seconds is None else timedelta(seconds=seconds),
    )


def templates_to_offer(viewer: User) -> list[Template]:
    """Return the templates one may filter by; deleted ones have claims too."""
    readable = subject_of(viewer).readable_organizations(Resource.TEMPLATE)
    found = Template.objects.order_by("name", "pk")
    return list((found if readable is None else found.filter(organization__in=readable))[:OFFERED])


def presets_to_offer(viewer: User, template_id: UUID | None) -> list[str]:
    """Return the names of presets one may filter by; the same name in two versions is one."""
    readable = subject_of(viewer).readable_organizations(Resource.TEMPLATE)
    found = Preset.objects.order_by("name")
    if readable is not None:
        found = found.filter(version__template__organization__in=readable)
    if template_id is not None:
        found = found.filter(version__template=template_id)
    return list(found.values_list("name", flat=True).distinct()[:OFFERED])


def find_preset(viewer: User, preset_id: UUID | None) -> Preset | None:
    """Return the one preset the page is asked for, if the viewer may know of it."""
    if preset_id is None:
        return None
    readable = subject_of(viewer).readable_organizations(Resource.TEMPLATE)
    found = Preset.objects.select_related("version__template").filter(pk=preset_id)
    if readable is not None:
        found = found.filter(version__template__organization__in=readable)
    return found.first()
