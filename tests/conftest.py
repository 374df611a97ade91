"""What every test shares: the embedded server ends with the session that used it last."""

import os
import shutil

import pytest

from tests.committed import delete_instead_of_truncate

__all__ = ["delete_instead_of_truncate"]


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the embedded PostgreSQL unless others use it; the last process to end decides."""
    from django.conf import settings

    if hasattr(config, "workerinput") or "embedded" not in settings.DATABASES["default"]["ENGINE"]:
        return
    from config.embedded_postgres.server import server_is_running, stop_if_unused
    from config.testing import THROWAWAY_DATA_DIR

    stop_if_unused()
    if not server_is_running():
        shutil.rmtree(THROWAWAY_DATA_DIR, ignore_errors=True)


@pytest.fixture
def clean_environment() -> dict[str, str]:
    """An environment for subprocesses without any setting of ours."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PREBUILDS_")
        and name not in {"DATABASE_URL", "DJANGO_SETTINGS_MODULE"}
    }


@pytest.fixture(autouse=True)
def _baseline(request: pytest.FixtureRequest) -> None:
    """Bring back what migrations inserted: a transactional test before this one flushed it."""
    if request.node.get_closest_marker("django_db") is None:
        return
    request.getfixturevalue("_django_db_helper")
    from tests.factories import make_baseline

    make_baseline()
