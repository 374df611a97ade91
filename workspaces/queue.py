"""Who is served when: the places of pending jobs, and who may know of which job. No writes.

The order is the acquire's (`locks.ACQUIRE_JOB`): people, then clearing away, then making more.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, F, Q, QuerySet, Window
from django.db.models.functions import RowNumber

from accounts.models import User
from accounts.policy import Resource, subject_of
from workspaces.enums import JobStatus
from workspaces.models import ProvisionerJob
from workspaces.models.job import IS_PENDING

ORDER: Final = ("priority", "created_at", "id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a pending job stands, from 1, among how many."""

    position: int
    size: int


NOWHERE: Final = Place(position=0, size=0)
"""The place of a job that does not wait."""


def visible_jobs(viewer: User) -> QuerySet[ProvisionerJob]:
    """Return the jobs a person may see: their own workspaces', and where a role says so."""
    jobs = ProvisionerJob.objects.all()
    subject = subject_of(viewer)
    organizations = subject.readable_organizations(Resource.PROVISIONER)
    if organizations is None:
        return jobs
    own = Q(workspace__owner=viewer, organization__in=set(subject.organization_roles))
    return jobs.filter(own | Q(organization__in=organizations))


def places_of(jobs: Collection[ProvisionerJob]) -> Mapping[UUID, Place]:
    """Return the places of those of the jobs that wait, in all queues together.

    One statement; none when nobody waits. A daemon that cannot do what comes first skips it, so
    a job may be served before its turn, never after a later one of the same kind.
    """
    waiting = [job.pk for job in jobs if job.status == JobStatus.PENDING]
    if not waiting:
        return {}
    return {
        job_id: Place(position=position, size=size) for job_id, position, size in _places(waiting)
    }


def _places(wanted: Collection[UUID]) -> QuerySet[Any, tuple[UUID, int, int]]:
    """Number all, then pick: a condition that names the window stays outside of the numbering."""
    order = [F(field).asc() for field in ORDER]
    numbered = (
        ProvisionerJob.objects.filter(IS_PENDING)
        .annotate(position=Window(RowNumber(), order_by=order), size=Window(Count("*")))
        .order_by()
    )
    return numbered.filter(Q(position=0) | Q(pk__in=wanted)).values_list("pk", "position", "size")
