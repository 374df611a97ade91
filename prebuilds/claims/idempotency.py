"""The same request twice is one request: what an Idempotency-Key remembers (semantics.md 14)."""

import json
from hashlib import sha256

from prebuilds.claims.request import Wish
from prebuilds.errors import IdempotencyKeyReused
from prebuilds.models import Claim


def find_claim(wish: Wish) -> Claim | None:
    """Return the claim an earlier request with this key and body made; None when there is none.

    Raises IdempotencyKeyReused when the key was used for something else.
    """
    key = wish.options.idempotency_key
    if not key:
        return None
    claims = Claim.objects.select_related("workspace")
    claim = claims.filter(user=wish.owner, idempotency_key=key).first()
    if claim and bytes(claim.request_digest or b"") != digest_of(wish):
        raise IdempotencyKeyReused
    return claim


def digest_of(wish: Wish) -> bytes:
    """Return what two requests have in common exactly when they wish for the same."""
    asked = [
        str(wish.template_id),
        str(wish.options.template_version_id),
        str(wish.preset_id),
        wish.name,
        sorted(wish.parameters.items()),
        wish.options.ttl_seconds,
        wish.options.autostart_schedule,
        wish.options.automatic_updates,
    ]
    return sha256(json.dumps(asked).encode()).digest()
