"""The search box of the workspace list: words like `owner:prebuilds status:failed api`."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from django.db.models import Exists, OuterRef, Q

from accounts.models import User
from accounts.system import PREBUILDS_USER_ID, PREBUILDS_USERNAME
from workspaces.enums import JobStatus, LifecycleState, Transition
from workspaces.models import Agent

TERM: Final = re.compile(r'(?:(\w+):)?("[^"]*"|\S+)')
MINE: Final = "owner:me"


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What was asked for, as a condition; `problems` says what was not understood."""

    text: str
    condition: Q
    problems: tuple[str, ...]


def read_search(text: str, viewer: User) -> Search:
    """Return the condition for a search text; an unknown word is told, not guessed."""
    condition = Q()
    problems = []
    for key, quoted in TERM.findall(text):
        value = quoted.strip('"')
        try:
            condition &= _TERMS[key](value, viewer)
        except KeyError:
            problems.append(_unknown(key, value))
    return Search(text=text, condition=condition, problems=tuple(problems))


def _unknown(key: str, value: str) -> str:
    if key == "status":
        return f"“{value}” is no status. Use {', '.join(_statuses())}."
    return f"“{key}:” is no filter. Use owner:, template:, preset:, status: or name:."


def _owner(value: str, viewer: User) -> Q:
    if value == "me":
        return Q(owner_id=viewer.pk)
    if value == PREBUILDS_USERNAME:
        return Q(owner_id=PREBUILDS_USER_ID)
    return Q(owner__username__iexact=value)


def _template(value: str, _viewer: User) -> Q:
    return Q(template__name__iexact=value) | Q(template__display_name__iexact=value)


def _preset(value: str, _viewer: User) -> Q:
    return Q(latest_build__preset__name__iexact=value)


def _name(value: str, _viewer: User) -> Q:
    return Q(name__icontains=value)


def _status(value: str, _viewer: User) -> Q:
    return _statuses()[value]


def _statuses() -> dict[str, Q]:
    agents = Agent.objects.filter(resource__build=OuterRef("latest_build"))
    not_ready = Exists(agents.exclude(lifecycle_state=LifecycleState.READY))
    is_on = _latest(Transition.START, JobStatus.SUCCEEDED)
    return {
        "ready": is_on & Exists(agents) & ~not_ready,
        "running": is_on,
        "building": Q(latest_build__job__status__in=[JobStatus.PENDING, JobStatus.RUNNING]),
        "stopped": _latest(Transition.STOP, JobStatus.SUCCEEDED),
        "failed": Q(latest_build__job__status=JobStatus.FAILED),
    }


def _latest(transition: str, status: str) -> Q:
    return Q(latest_build__transition=transition, latest_build__job__status=status)


_TERMS: Final[dict[str, Callable[[str, User], Q]]] = {
    "": _name,
    "name": _name,
    "owner": _owner,
    "template": _template,
    "preset": _preset,
    "status": _status,
}
