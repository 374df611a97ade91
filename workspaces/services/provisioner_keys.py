"""Make and revoke what remote daemons authenticate with. Only a digest is stored.

A key is for one organization and some tags, for good: to change either, make another.
"""

import re
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from django.db import IntegrityError, transaction

from accounts import audit
from accounts.audit import Actor
from accounts.models import Organization
from accounts.selectors import digest
from workspaces.errors import InvalidKeyName, KeyNameTaken
from workspaces.models import ProvisionerKey

KEY_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


def create_key(
    *,
    organization: Organization,
    name: str,
    tags: Mapping[str, str],
    actor: Actor,
    now: datetime,
) -> tuple[ProvisionerKey, str]:
    """Make a key; return it with its secret, which is shown once and never stored.

    Raises InvalidKeyName, KeyNameTaken.
    """
    if not KEY_NAME.fullmatch(name):
        raise InvalidKeyName(name)
    secret = secrets.token_urlsafe(32)
    try:
        with transaction.atomic():
            key = ProvisionerKey.objects.create(
                organization=organization,
                name=name,
                digest=digest(secret),
                tags=dict(tags),
                created_at=now,
            )
            audit.record(actor=actor, action="create", target=key, now=now, after=_facts(key))
    except IntegrityError as error:
        raise KeyNameTaken(name) from error
    return key, secret


def revoke_key(*, key: ProvisionerKey, actor: Actor, now: datetime) -> bool:
    """Let nobody in by this key from now on; False, and nothing changed, when it was revoked.

    What its daemons hold is failed as lost when their leases lapse.
    """
    with transaction.atomic():
        live = ProvisionerKey.objects.filter(pk=key.pk, revoked_at__isnull=True)
        if not live.update(revoked_at=now):
            return False
        audit.record(actor=actor, action="revoke", target=key, now=now, before=_facts(key))
    key.revoked_at = now
    return True


def _facts(key: ProvisionerKey) -> dict[str, object]:
    return {"organization": key.organization.name, "name": key.name, "tags": key.tags}
