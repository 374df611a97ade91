"""Lists read a page, however much there is."""

import json

import pytest
from django.db import connection

from prebuilds.api.visible import with_relations
from prebuilds.models import Claim
from prebuilds.selectors import ClaimFilter, list_claims
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
CLAIMS = 50_000
ASKED = """
INSERT INTO prebuilds_claim
       (id, template_id, preset_id, user_id, outcome, reason, created_at, duration_seconds,
        idempotency_key)
SELECT md5('claim' || n)::uuid, version.template_id, preset.id, %(person)s, 'cold', 'quota',
       %(noon)s::timestamptz - n * interval '1 minute', 0, ''
  FROM generate_series(1, %(claims)s) AS n
  JOIN (SELECT *, row_number() OVER (ORDER BY id) AS place, count(*) OVER () AS presets
          FROM templates_app_preset) AS preset ON preset.place = 1 + n %% preset.presets
  JOIN templates_app_templateversion AS version ON version.id = preset.version_id
"""


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


@pytest.mark.parametrize(
    ("of_one_preset", "index"), [(False, "claim_newest"), (True, "claim_by_preset")]
)
def test_the_first_page_of_claims_reads_a_page(of_one_preset, index):
    person, admin = factories.make_user(), factories.make_user(roles=["owner"])
    with connection.cursor() as cursor:
        given = {"person": person.pk, "noon": factories.NOON, "claims": CLAIMS}
        cursor.execute(ASKED, given)
        cursor.execute("ANALYZE prebuilds_claim")
    newest = Claim.objects.first()
    asked = ClaimFilter(preset_id=newest.preset_id if of_one_preset else None)

    rows = list_claims(admin, asked).select_related("user", "template", "preset__version")
    found = rows.order_by("-created_at", "-pk")[:PAGE]
    (report,) = json.loads(found.explain(analyze=True, buffers=True, format="json"))

    plan = report["Plan"]
    assert index in json.dumps(plan)
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < PAGE * 30
