"""What started a cycle, in plain words: "Bell" and "Interval" are words of ours."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from prebuilds.models import Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerWords:
    """The word, what it comes to in a few words, and in a sentence."""

    name: str
    short: str
    sentence: str


def _words(trigger: Trigger, short: str, sentence: str) -> tuple[str, TriggerWords]:
    return trigger.value, TriggerWords(name=str(trigger.label), short=short, sentence=sentence)


TRIGGERS: Final[Mapping[str, TriggerWords]] = dict(
    (
        _words(
            Trigger.BELL,
            "something changed",
            "The database rang: something changed that a pool depends on, such as a claim, a build"
            " that ended or an edit.",
        ),
        _words(
            Trigger.INTERVAL,
            "time to look again",
            "The reconciler's own clock: it looks when it starts, when a wait after failures is"
            " over, and once every interval even if nothing rang.",
        ),
        _words(
            Trigger.SCHEDULE,
            "the worker's minute",
            "The worker looks once a minute, in case the reconciler does not run.",
        ),
        _words(Trigger.COMMAND, "manage.py reconcile", "Somebody ran manage.py reconcile."),
        _words(
            Trigger.PERSON,
            "Reconcile now",
            "Somebody pressed Reconcile now, or asked for it over the API.",
        ),
    )
)
"""By stored word, the commonest first."""


def words_of(trigger: str) -> TriggerWords:
    """Return how a stored word is said."""
    return TRIGGERS[trigger]
