"""How often somebody came, counted for all web processes together (docs/adr/0014)."""

from datetime import datetime
from typing import Final

from django.utils.crypto import salted_hmac

from accounts import locks
from accounts.models import RequestCount

SALT: Final = "accounts.request_counts"
MINUTE: Final = 60


def add_requests(*, of: str, minute: int, number: int) -> int:
    """Add requests of one minute, and return how many all processes have told of so far.

    One statement, in a transaction of its own. `minute` is one of the Unix clock, and `of` says
    who: neither an address nor a token's id is kept.
    """
    key = salted_hmac(SALT, f"{minute}\0{of}", algorithm="sha256").hexdigest()
    return locks.count_requests(key, minute, number)


def prune_requests(*, now: datetime) -> int:
    """Forget minutes that are over; return how many counts that were.

    The last one is kept: a clock of another machine may be behind.
    """
    last = int(now.timestamp()) // MINUTE - 1
    return RequestCount.objects.filter(minute__lt=last).delete()[0]
