"""A server of PostgreSQL that is stopped under the web process, and started again.

The web process reaches it by DATABASE_URL: an embedded one would be started by whoever needs it.
"""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from config.embedded_postgres.server import Server
from tests.acceptance.installation import Installation, eventually

pytestmark = [pytest.mark.serial, pytest.mark.slow, pytest.mark.timeout(180)]

PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
SET_UP = """
from importlib import import_module
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from accounts.models import Membership, Organization, User
tess = User.objects.create_user("tess", name="Tess", roles=["owner"])
Membership.objects.create(organization=Organization.objects.get(is_default=True), user=tess)
session = import_module(settings.SESSION_ENGINE).SessionStore()
session[SESSION_KEY] = str(tess.pk)
session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
session[HASH_SESSION_KEY] = tess.get_session_auth_hash()
session.create()
print(session.session_key)
"""


@pytest.fixture
def installation() -> Iterator[Installation]:
    """A migrated installation whose processes know the server by its address only."""
    with tempfile.TemporaryDirectory(prefix="prebuilds-away-") as directory:
        made = Installation(Path(directory), PREBUILDS_DATABASE_POOL_SIZE="0")
        try:
            made.manage("migrate", "--verbosity", "0")
            socket = server_of(made).ensure_running()
            made.environment["DATABASE_URL"] = f"postgresql://postgres@/prebuilds?host={socket}"
            yield made
        finally:
            made.close()


def server_of(installation: Installation) -> Server:
    return Server(installation.home / "postgres")


def test_everything_answers_503_until_it_is_back_and_nothing_was_changed(
    installation: Installation,
) -> None:
    cookie = {"sessionid": installation.run_python(SET_UP)}
    installation.start("web")
    with (
        httpx.Client(
            base_url=installation.url, cookies=cookie, headers=PAGE, timeout=30
        ) as browser,
        installation.client("tess") as api,
    ):
        stop_and_start(installation, browser, api)


def stop_and_start(installation: Installation, browser: httpx.Client, api: httpx.Client) -> None:
    form = browser.get("/account/")
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form.text)
    assert token is not None
    sent = {"csrfmiddlewaretoken": token[1], "name": "Other", "email": "o@example.com"}
    assert browser.get("/cycles/").status_code == 200

    server_of(installation).stop()

    for path in ("/", "/cycles/", "/admin/", "/admin/accounts/user/", "/cycles/?format=csv"):
        page = browser.get(path)
        assert (page.status_code, page.headers["Refresh"]) == (503, "5"), path
        assert "The database cannot be reached" in page.text
        assert f">{page.headers['X-Request-ID']}</code>" in page.text
        assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    fragment = browser.get("/cycles/table", headers={"HX-Request": "true"})
    stream = browser.get("/live/pools", headers={"Accept": "text/event-stream"})
    for line in (fragment, stream):
        assert (line.status_code, line.headers["Retry-After"]) == (503, "1")
        assert "<" not in line.text
    posted = browser.post("/account/edit", data=sent)
    assert posted.status_code == 503
    assert "Refresh" not in posted.headers
    assert "what you sent was not saved" in posted.text
    assert api.get("/users/me").status_code == 503
    assert api.get("/workspaceagents/me/reinit").status_code == 503
    log = (installation.home / "web.log").read_text()
    assert log.count("database does not answer") == 10
    assert "Traceback" not in log

    server_of(installation).ensure_running()

    back = eventually(lambda: browser.get("/account/"), lambda page: page.is_success, seconds=20)
    assert ">Tess</dd>" in back.text
    assert browser.post("/account/edit", data=sent).status_code == 302
