"""Lists read a page, however much there is."""

import json

import pytest

from prebuilds.api.visible import with_relations
from tests import factories
from tests.plans.conftest import LIVE, PENDING
from workspaces.models import ProvisionerJob
from workspaces.models.job import IS_PENDING
from workspaces.queue import places_of
from workspaces.search import read_search, search_workspaces

pytestmark = [
    pytest.mark.slow,
    pytest.mark.serial,
    pytest.mark.timeout(120),
    pytest.mark.usefixtures("city"),
    pytest.mark.django_db,
]

PAGE = 50


def first_page(q):
    """Return what PostgreSQL did for the first page of a search: its buffers and its indexes."""
    admin = factories.make_user(roles=["owner"])
    rows = with_relations(search_workspaces(admin, read_search(q, admin)))[:PAGE]
    (report,) = json.loads(rows.explain(analyze=True, buffers=True, format="json"))
    plan = report["Plan"]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"], json.dumps(plan)


@pytest.mark.parametrize("q", ["", "status:running", "owner:prebuilds status:running", "w"])
def test_the_first_page_of_a_search_that_fits_many_reads_a_page(q):
    buffers, plan = first_page(q)

    assert "workspace_live_newest" in plan
    assert buffers < PAGE * 60 < LIVE


def test_the_places_in_a_long_queue_are_found_in_the_order_of_their_acquire():
    jobs = list(ProvisionerJob.objects.filter(IS_PENDING).order_by("priority", "created_at", "id"))
    wanted = [jobs[0], jobs[123], jobs[-1]]

    places = places_of(wanted)

    assert [places[job.pk].position for job in wanted] == [1, 124, PENDING]
    assert {place.size for place in places.values()} == {PENDING}
