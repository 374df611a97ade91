"""An ear at the database: a LISTEN connection of the test's own."""

from collections import Counter

import psycopg
import pytest

from tests.committed import delete_instead_of_truncate
from workspaces.listening import CHANNELS, connection_params

__all__ = ["delete_instead_of_truncate"]


class Ear:
    """Hears every bell. A bell rings at commit, so its tests commit."""

    def __init__(self):
        self._connection = psycopg.connect(**connection_params(), autocommit=True)
        for channel in (*CHANNELS, "marker"):
            self._connection.execute(f"LISTEN {channel}")

    def close(self):
        self._connection.close()

    def hear(self) -> Counter[str]:
        """Return how often each channel rang since the last call; waits for no clock.

        Notifications arrive in the order of the commits, so whatever rang before this marker
        has arrived when the marker does.
        """
        return Counter(channel for channel, _ in self.hear_all())

    def hear_all(self) -> list[tuple[str, str]]:
        """Return channel and payload of every bell since the last call."""
        self._connection.execute("NOTIFY marker")
        found = []
        for bell in self._connection.notifies(timeout=10):
            if bell.channel == "marker":
                return found
            found.append((bell.channel, bell.payload))
        raise AssertionError("the marker was not heard within 10 s")


@pytest.fixture
def ear(transactional_db):
    ear = Ear()
    yield ear
    ear.close()
