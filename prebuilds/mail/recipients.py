"""Who gets mails: people who may change templates, have an address, and did not opt out."""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal
from uuid import UUID

from accounts import policy
from accounts.models import User
from accounts.policy import Action, Resource
from prebuilds.models import MailPreference, MailStep

Wish = Literal["incidents", "digest"]
"""What one can opt out of: a field of MailPreference."""


def wish_of(step: str) -> Wish:
    """Return what a person must want to get a mail of this step."""
    return "digest" if step == MailStep.DIGEST else "incidents"


def list_recipients(
    organization_ids: Collection[UUID], *, wish: Wish
) -> Mapping[UUID, Sequence[User]]:
    """Return, by organization, the people who get its mails; three statements."""
    people = policy.people_who_can(
        Action.UPDATE, Resource.TEMPLATE, organization_ids=organization_ids
    )
    declined = set(MailPreference.objects.filter(**{wish: False}).values_list("user_id", flat=True))
    return {
        organization_id: [one for one in each if one.email and one.pk not in declined]
        for organization_id, each in people.items()
    }
