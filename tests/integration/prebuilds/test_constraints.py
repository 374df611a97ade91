"""What the database refuses to store of notices, whoever writes (semantics.md 21)."""

from datetime import timedelta

import pytest

from prebuilds.models import Claim, Notice
from tests.factories import NOON, claim_prebuild, make_ready_prebuilds, make_template, preset_of
from tests.integration.referee import assert_refused, constraints_of

pytestmark = pytest.mark.django_db

HARD_LIMITED, WARNING, REPLACED = "hard_limited", "quota_warning", "resource_replaced"


def make_claim():
    preset = preset_of(make_template())
    make_ready_prebuilds(preset, 1, now=NOON)
    return claim_prebuild(preset, now=NOON).claim


def insert(claim, kind=HARD_LIMITED, **fields):
    """Insert a notice about the preset of a claim."""
    values = {
        "kind": kind,
        "preset_id": claim.preset_id,
        "organization_id": claim.template.organization_id,
        "detail": "no such image",
        "opened_at": NOON,
    }
    return Notice.objects.create(**{**values, **fields})


def new(kind=HARD_LIMITED, **fields):
    return lambda: insert(make_claim(), kind, **fields)


def twice(kind, **fields):
    def attempt():
        claim = make_claim()
        of_claim = {"claim_id": claim.pk} if kind == REPLACED else {}
        for _ in range(2):
            insert(claim, kind, **of_claim, **fields)

    return attempt


def with_claim(kind):
    def attempt():
        claim = make_claim()
        insert(claim, kind, claim_id=claim.pk)

    return attempt


LATER = NOON + timedelta(hours=1)
SUBJECT = "notice_names_its_subject"
HARM = "notice_closed_with_its_harm"
REFUSED = [
    ("notice_kind_known", new("on fire")),
    (SUBJECT, new(preset_id=None)),
    (SUBJECT, new(WARNING)),
    (SUBJECT, new(REPLACED)),
    (SUBJECT, with_claim(HARD_LIMITED)),
    (SUBJECT, with_claim(WARNING)),
    ("notice_says_why", new(detail="")),
    (HARM, new(closed_at=LATER)),
    (HARM, new(cold_starts=1)),
    (HARM, new(closed_at=NOON - timedelta(seconds=1), cold_starts=1)),
    ("notice_open_once_per_preset", twice(HARD_LIMITED)),
    ("notice_open_once_per_organization", twice(WARNING, preset_id=None)),
    ("notice_once_per_claim", twice(REPLACED)),
    ("notice_once_per_claim", twice(REPLACED, closed_at=LATER, cold_starts=0)),
]


@pytest.mark.parametrize(("constraint", "attempt"), REFUSED)
def test_the_database_refuses(constraint, attempt):
    assert_refused(constraint, attempt)


def test_every_constraint_of_notices_is_in_the_table():
    named = {name for name in constraints_of("prebuilds") if name.startswith("notice_")}

    assert named == {constraint for constraint, _ in REFUSED}


def test_what_is_closed_or_of_another_kind_is_in_nobodys_way():
    claim = make_claim()
    for _ in range(2):
        insert(claim, closed_at=LATER, cold_starts=0)
        insert(claim, WARNING, preset_id=None, closed_at=LATER, cold_starts=0)
    insert(claim)
    insert(claim, "quota")
    insert(claim, WARNING, preset_id=None)
    insert(claim, REPLACED, claim_id=claim.pk)

    assert Notice.objects.filter(closed_at=None).count() == 4
    assert Claim.objects.count() == 1
