"""How the health of a pool is shown: a word, an icon, a tone. Pure."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How a health is shown: never by colour alone."""

    key: str
    word: str
    icon: str
    tone: str
    meaning: str


HEALTHS: Final = {
    health.key: health
    for health in (
        Health(
            key="hard_limited",
            word="Hard-limited",
            icon="hand-stop",
            tone="bad",
            meaning="Stopped after repeated failures",
        ),
        Health(
            key="validation_failed",
            word="Validation failed",
            icon="file-alert",
            tone="bad",
            meaning="Its parameter values are not accepted",
        ),
        Health(
            key="backing_off",
            word="Backing off",
            icon="clock-pause",
            tone="warn",
            meaning="Waiting after a failed build",
        ),
        Health(
            key="degraded",
            word="Degraded",
            icon="circle-dashed",
            tone="busy",
            meaning="Running, but not all are ready yet",
        ),
        Health(
            key="held",
            word="Held",
            icon="hourglass",
            tone="warn",
            meaning="Waiting for its turn or for quota",
        ),
        Health(
            key="filling",
            word="Filling",
            icon="droplet",
            tone="busy",
            meaning="Missing prebuilds are being built",
        ),
        Health(
            key="paused",
            word="Paused",
            icon="player-pause",
            tone="off",
            meaning="Nothing is built or deleted",
        ),
        Health(
            key="draining",
            word="Draining",
            icon="droplet-down",
            tone="off",
            meaning="An older version; its prebuilds are deleted",
        ),
        Health(
            key="healthy",
            word="Healthy",
            icon="circle-check",
            tone="good",
            meaning="As many are ready as desired",
        ),
    )
}
"""Worst first."""
NEEDS_SOMEBODY: Final = frozenset({"hard_limited", "validation_failed", "backing_off"})
