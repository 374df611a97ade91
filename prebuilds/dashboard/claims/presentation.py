"""Say a claim or a miss as a person would. Pure."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from prebuilds.dashboard.base.wording import say_count, say_duration
from prebuilds.dashboard.claims.queries import Sums
from prebuilds.dashboard.pools.tiles import say_rate
from prebuilds.models import ClaimOutcome, ClaimReason
from prebuilds.trends import Served


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimView:
    """One row. `why` it was not warm; `waited` is None while that is not known."""

    claim: Any
    word: str
    icon: str
    tone: str
    why: str
    took: timedelta
    waited: timedelta | None


def present_claim(claim: Any) -> ClaimView:
    """Return a claim of `list_claims` in words."""
    warm = claim.outcome == ClaimOutcome.WARM
    refused = claim.workspace_id is None
    word = "Warm" if warm else "Refused" if refused else "Cold"
    return ClaimView(
        claim=claim,
        word=word,
        icon="bolt" if warm else "ban" if refused else "hourglass",
        tone="good" if warm else "bad" if refused else "warn",
        why="" if warm else ClaimReason(claim.reason).label,
        took=timedelta(seconds=claim.duration_seconds),
        waited=None if claim.wait_seconds is None else timedelta(seconds=claim.wait_seconds),
    )


def say_sums(sums: Sums) -> str:
    """Return "40 requests: 36 warm (90 %) and 4 cold; 19 of 20 were ready within 12 s"."""
    served = sums.served
    if not served.total:
        return "No request"
    text = f"{say_count(served.total, 'request')}: {_outcomes(served)}"
    if sums.wait is None:
        return text
    return f"{text}; 19 of 20 were ready within {say_duration(sums.wait)}"


def _outcomes(served: Served) -> str:
    if served.warm and served.cold:
        return f"{served.warm} warm ({say_rate(served)}) and {served.cold} cold"
    return "all warm" if served.warm else "all cold"
