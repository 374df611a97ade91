"""What browsers are told, by every kind of answer; and Django's own list for a deployment."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client

from tests.factories import make_user

ROOT = Path(__file__).resolve().parents[3]
PRODUCTION = {
    "PREBUILDS_SECRET_KEY": "for-tests-only-0123456789-abcdefghijklmnopqrstuvwxyz",
    "PREBUILDS_ACCESS_URL": "https://prebuilds.example.com",
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
}
ASKED = (
    "SECURE_HSTS_SECONDS",
    "SECURE_SSL_REDIRECT",
    "SESSION_COOKIE_NAME",
    "SESSION_COOKIE_SECURE",
    "SESSION_COOKIE_HTTPONLY",
    "SESSION_COOKIE_SAMESITE",
    "SESSION_COOKIE_AGE",
    "CSRF_COOKIE_NAME",
    "CSRF_COOKIE_SECURE",
    "CSRF_COOKIE_HTTPONLY",
    "KNOWN_BROWSER_COOKIE_NAME",
)
PRINT = (
    "import json; from django.conf import settings; "
    f"print(json.dumps({{name: getattr(settings, name) for name in {ASKED}}}))"
)


def run(environment, *words):
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env=environment,
        text=True,
        capture_output=True,
        timeout=50,
        check=False,
    )


def test_djangos_list_for_a_deployment_has_nothing_to_say(clean_environment, tmp_path):
    place = {"PREBUILDS_DATA_DIR": str(tmp_path)}

    done = run(
        clean_environment | PRODUCTION | place, "check", "--deploy", "--fail-level", "WARNING"
    )

    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_in_production_cookies_are_for_https_this_host_and_no_script(clean_environment, tmp_path):
    place = {"PREBUILDS_DATA_DIR": str(tmp_path), "PREBUILDS_SESSION_LIFETIME": "7d"}

    done = run(
        clean_environment | PRODUCTION | place, "shell", "--verbosity", "0", "--command", PRINT
    )

    assert json.loads(done.stdout) == {
        "SECURE_HSTS_SECONDS": 31_536_000,
        "SECURE_SSL_REDIRECT": True,
        "SESSION_COOKIE_NAME": "__Host-sessionid",
        "SESSION_COOKIE_SECURE": True,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_AGE": 604_800,
        "CSRF_COOKIE_NAME": "__Host-csrftoken",
        "CSRF_COOKIE_SECURE": True,
        "CSRF_COOKIE_HTTPONLY": True,
        "KNOWN_BROWSER_COOKIE_NAME": "__Host-known_browser",
    }


ALWAYS = {
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
ANSWERS = (
    ("owner", "/", 200),
    ("owner", "/pools/table", 200),
    ("owner", "/account/", 200),
    ("owner", "/admin/", 200),
    ("owner", "/admin/accounts/user/", 200),
    ("owner", "/api/v2/users/me", 200),
    ("owner", "/api/v2/nothing/here", 404),
    ("owner", "/nowhere/", 404),
    ("owner", "/sign-out/", 405),
    ("member", "/settings/", 404),
    ("member", "/api/v2/audit", 404),
    ("nobody", "/", 302),
    ("nobody", "/sign-in/", 200),
    ("nobody", "/admin/", 302),
    ("nobody", "/admin/login/", 302),
    ("nobody", "/api/v2/users/me", 401),
    ("nobody", "/api/docs", 200),
    ("nobody", "/healthz", 503),
    ("nobody", "/metrics", 404),
    ("nobody", "/mail/unsubscribe/nonsense/", 404),
)


@pytest.fixture
def as_in_production(settings):
    settings.SECURE_HSTS_SECONDS = 31_536_000
    settings.SECURE_SSL_REDIRECT = True
    settings.SESSION_COOKIE_SECURE = True
    settings.WHITENOISE_USE_FINDERS = True


def client_of(who):
    client = Client(raise_request_exception=False)
    if who != "nobody":
        client.force_login(make_user(who, roles=["owner"] if who == "owner" else []))
    return client


def missing(response, wanted=ALWAYS):
    return {name: response.get(name) for name in wanted if response.get(name) != wanted[name]}


def policy_of(response):
    said = response["Content-Security-Policy"].split(";")
    return {words.split()[0]: words.split()[1:] for words in said}


@pytest.mark.usefixtures("as_in_production")
@pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])
class TestHeaders:
    @pytest.mark.parametrize(("who", "address", "status"), ANSWERS)
    def test_every_answer_says_what_browsers_must_not_do_with_it(self, who, address, status):
        response = client_of(who).get(address, secure=True)

        policy = policy_of(response)
        assert response.status_code == status
        assert missing(response) == {}
        assert "camera=()" in response["Permissions-Policy"]
        assert "no-store" in response["Cache-Control"]
        assert policy["frame-ancestors"] == ["'none'"]
        assert policy["script-src"] == ["'self'"]
        if address != "/api/docs":
            assert policy["style-src"] == policy["default-src"] == ["'self'"]
            assert policy["object-src"] == ["'none'"]

    def test_a_file_may_be_stored_and_is_guarded_all_the_same(self):
        response = Client().get("/static/favicon.svg", secure=True)
        response.close()

        assert response.status_code == 200
        assert missing(response) == {}
        assert "no-store" not in response["Cache-Control"]
        assert policy_of(response)["script-src"] == ["'self'"]

    def test_plain_http_is_sent_to_https(self):
        response = Client().get("/account/")

        assert response.status_code == 301
        assert response["Location"] == "https://testserver/account/"

    def test_a_form_without_its_token(self):
        client = Client(enforce_csrf_checks=True)

        response = client.post("/sign-in/", {"username": "a"}, secure=True)

        assert response.status_code == 403
        assert missing(response) == {}
        assert policy_of(response)["default-src"] == ["'self'"]

    def test_a_host_nobody_knows(self):
        response = Client(raise_request_exception=False).get(
            "/", secure=True, headers={"Host": "evil.example"}
        )

        assert response.status_code == 400
        assert missing(response) == {}
        assert "evil.example" not in response.text

    @pytest.mark.parametrize("address", ["/", "/api/v2/prebuilds/state"])
    def test_a_broken_server_tells_nothing_of_its_inside(self, monkeypatch, address):
        def fail(*_, **__):
            raise RuntimeError("inside")

        monkeypatch.setattr("prebuilds.selectors.list_pools", fail)
        monkeypatch.setattr("prebuilds.observation.take_snapshot", fail)
        client = client_of("owner")

        response = client.get(address, secure=True)

        assert response.status_code == 500
        assert missing(response) == {}
        assert policy_of(response)["default-src"] == ["'self'"]
        assert "no-store" in response["Cache-Control"]
        assert "inside" not in response.text

    def test_the_cookies_of_a_sign_in_are_guarded(self, settings):
        settings.PREBUILDS_SIGN_IN_TRIES = 5
        make_user("ana", password="a long enough passphrase")

        response = Client().post(
            "/sign-in/", {"username": "ana", "password": "a long enough passphrase"}, secure=True
        )

        cookies = [settings.SESSION_COOKIE_NAME, settings.KNOWN_BROWSER_COOKIE_NAME]
        for name in cookies:
            cookie = response.cookies[name]
            assert (cookie["secure"], cookie["httponly"]) == (True, True)
            assert (cookie["samesite"], cookie["path"], cookie["domain"]) == ("Lax", "/", "")
