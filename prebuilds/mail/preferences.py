"""Which mails a person wants, chosen on a page or by the link in a mail.

The link is signed and names a person and a kind of mail. It works without signing in and for
ever: all it can do is to stop mails, and whoever holds it could read one of them.
"""

from dataclasses import dataclass
from typing import Final, get_args
from uuid import UUID

from django.core import signing

from accounts.models import User
from prebuilds.errors import UnsubscribeLinkUnknown
from prebuilds.mail.recipients import Wish
from prebuilds.models import MailPreference

SALT: Final = "prebuilds.mail.unsubscribe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One kind of mail to one person."""

    user: User
    wish: Wish


def preference_of(user: User) -> MailPreference:
    """Return what the person wants; everything, when they never said."""
    return MailPreference.objects.filter(user=user).first() or MailPreference(user=user)


def set_preference(*, user: User, incidents: bool, digest: bool) -> None:
    """Note which mails the person wants from now on; also those that wait already."""
    _save(MailPreference(user=user, incidents=incidents, digest=digest), "incidents", "digest")


def sign_unsubscribe(user_id: UUID, wish: Wish) -> str:
    """Return the token of the link that stops one kind of mail."""
    return signing.dumps([str(user_id), wish], salt=SALT)


def read_unsubscribe(token: str) -> Subscription:
    """Return what a link would stop; raises UnsubscribeLinkUnknown."""
    try:
        user_id, wish = signing.loads(token, salt=SALT)
    except signing.BadSignature:
        raise UnsubscribeLinkUnknown from None
    user = User.objects.filter(pk=user_id).first()
    if user is None or wish not in get_args(Wish):
        raise UnsubscribeLinkUnknown
    return Subscription(user=user, wish=wish)


def unsubscribe(subscription: Subscription) -> None:
    """Stop one kind of mail; the other stays as it was."""
    _save(MailPreference(user=subscription.user, **{subscription.wish: False}), subscription.wish)


def _save(preference: MailPreference, *fields: str) -> None:
    """Insert the row, or change these fields of it, in one statement."""
    MailPreference.objects.bulk_create(
        [preference], update_conflicts=True, unique_fields=["user"], update_fields=fields
    )
