"""One rule for every door: what an attacker cannot do to an owner, and what they cannot do at all.

The clock is the product's own here; what waiting does with time is in tests/unit/accounts.
"""

from datetime import timedelta

import pytest
from django.conf import settings as product
from django.contrib.auth import get_user
from django.contrib.auth.hashers import MD5PasswordHasher
from django.test import Client
from django.utils import timezone

from accounts.audit import Actor
from accounts.enums import AuditSource
from accounts.errors import TooManyTries, WrongCredentials
from accounts.models import AuditEntry, SignInTries, User
from accounts.services import known_browsers, sign_in
from tests.factories import NOON, make_user

pytestmark = pytest.mark.django_db

PASSWORD = "a long enough passphrase"
HOME, ELSEWHERE = "192.0.2.1", "198.51.100.7"


@pytest.fixture(autouse=True)
def _limits(settings):
    settings.PREBUILDS_SIGN_IN_TRIES = 3
    settings.PREBUILDS_SIGN_IN_TRIES_PER_ADDRESS = 6


@pytest.fixture(autouse=True)
def ana():
    return make_user("ana", roles=["owner"], password=PASSWORD)


def by_page(client, password=PASSWORD, username="ana", address=HOME, path="/sign-in/"):
    return client.post(path, {"username": username, "password": password}, REMOTE_ADDR=address)


def by_api(client, password=PASSWORD, username="ana", address=HOME):
    return client.post(
        "/api/v2/users/login",
        {"username": username, "password": password},
        content_type="application/json",
        REMOTE_ADDR=address,
    )


DOORS = {"page": by_page, "api": by_api}
door = pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)


def guess(times, door=by_page, client=None, **where):
    for _ in range(times):
        door(client or Client(), "guess", **where)


def attempt(username="ana", *, address=HOME, kept=""):
    actor = Actor(user=None, source=AuditSource.PAGE, address=address)
    return sign_in.Attempt(username=username, actor=actor, kept=kept)


class TestDoors:
    @door
    def test_after_too_many_failures_the_right_password_waits_too(self, door):
        guess(3, door)

        refused = door(Client())

        assert refused.status_code == 429
        assert 55 <= int(refused["Retry-After"]) <= 60
        assert "Too many failed sign-ins. Try again in a minute." in refused.content.decode()

    @pytest.mark.parametrize("first", DOORS)
    @pytest.mark.parametrize("second", DOORS)
    def test_the_doors_count_together(self, first, second):
        guess(2, DOORS[first])
        guess(1, DOORS[second])

        assert DOORS[first](Client()).status_code == 429
        assert DOORS[second](Client()).status_code == 429

    @door
    @pytest.mark.parametrize("username", ["nobody", "prebuilds", "sus"])
    def test_a_name_that_opens_nothing_is_answered_and_counted_alike(self, door, username):
        make_user("sus", password=PASSWORD)
        User.objects.filter(username="sus").update(is_active=False)

        answers = [door(Client(), username=username) for _ in range(4)]
        real = [door(Client(), "guess", address=ELSEWHERE) for _ in range(4)]

        assert [each.status_code for each in answers] == [each.status_code for each in real]
        assert [each.status_code for each in answers][-1] == 429

    @pytest.mark.parametrize("username", ["ana", "nobody", "prebuilds", "sus", "keyless"])
    def test_every_failure_costs_one_look_at_a_password(self, username, monkeypatch):
        make_user("sus", password=PASSWORD)
        User.objects.filter(username="sus").update(is_active=False)
        make_user("keyless", password=None)
        looks, encode = [], MD5PasswordHasher.encode
        monkeypatch.setattr(
            MD5PasswordHasher, "encode", lambda *args: looks.append(1) or encode(*args)
        )

        guess(1, username=username)

        assert len(looks) == 1

    def test_whoever_waits_costs_none(self, monkeypatch):
        guess(3)
        monkeypatch.delattr(MD5PasswordHasher, "encode")

        assert by_page(Client()).status_code == 429

    def test_the_admin_has_no_door_of_its_own(self):
        client = Client()

        first = client.get("/admin/", follow=False)
        second = client.get(first["Location"])
        posted = by_page(client, path="/admin/login/")

        assert first["Location"] == "/admin/login/?next=/admin/"
        assert second["Location"] == "/sign-in/?next=/admin/"
        assert posted["Location"] == "/sign-in/?next=/admin/"
        assert not get_user(client).is_authenticated

    def test_who_may_not_use_the_admin_is_told_so_and_not_sent_in_circles(self):
        client = Client()
        client.force_login(make_user("ben"))

        answer = client.get("/admin/", follow=True)

        assert answer.status_code == 403

    def test_the_page_says_when_to_try_again_and_keeps_the_name(self):
        guess(4)

        answer = by_page(Client())

        assert 'role="alert"' in answer.text
        assert 'value="ana"' in answer.text


class TestTheOwnerGetsIn:
    @door
    def test_from_another_address(self, door):
        guess(20, door, address=ELSEWHERE)

        assert door(Client(), address=HOME).status_code in {302, 201}

    def test_in_a_known_browser_even_from_the_attackers_own_address(self):
        known = Client()
        by_page(known)
        known.post("/sign-out/")
        guess(20, address=HOME)

        assert by_page(Client()).status_code == 429
        assert by_page(known).status_code == 302

    def test_from_a_new_place_though_the_name_is_attacked_from_everywhere(self):
        for number in range(60):
            guess(1, address=f"198.51.100.{number}")

        assert by_page(Client(), address=HOME).status_code == 302

    def test_and_then_an_attacker_has_one_try_from_each_place_instead_of_three(self):
        for number in range(30):
            guess(1, address=f"198.51.100.{number}")

        guess(1, address=ELSEWHERE + "7")
        guess(1, address=HOME)

        assert by_page(Client(), address=HOME).status_code == 429

    @door
    def test_after_a_success_the_count_starts_anew(self, door):
        guess(2, door)
        first = door(Client()).status_code
        guess(2, door)

        assert door(Client()).status_code == first


class TestKnownBrowsers:
    def test_a_known_browser_guesses_no_more_often_than_any_place(self):
        known = Client()
        by_page(known)
        known.post("/sign-out/")

        guess(3, client=known)

        assert by_page(known).status_code == 429
        assert by_page(known, address=ELSEWHERE).status_code == 429
        assert by_page(Client()).status_code == 302

    def test_the_cookie_is_kept_from_scripts_and_tells_no_name(self):
        answer = by_page(Client())

        cookie = answer.cookies[product.KNOWN_BROWSER_COOKIE_NAME]
        assert cookie["httponly"]
        assert cookie["samesite"] == "Lax"
        assert "ana" not in cookie.value
        assert cookie["max-age"] == 180 * 24 * 3600

    @pytest.mark.parametrize("kept", ["", "nonsense", "WyJhIl0:1:x"])
    def test_a_mark_that_is_none_is_no_mark(self, kept):
        assert known_browsers.read_mark(kept, username="ana") == ""

    def test_a_mark_is_one_persons_whatever_the_case(self):
        mark = known_browsers.make_mark("ana")

        assert known_browsers.read_mark(mark, username="ANA")
        assert known_browsers.read_mark(mark, username="ben") == ""
        assert known_browsers.read_mark(mark[:-1], username="ana") == ""

    def test_two_browsers_are_two(self):
        marks = {known_browsers.make_mark("ana") for _ in range(2)}

        assert len({known_browsers.read_mark(each, username="ana") for each in marks}) == 2


class TestTheTable:
    def test_a_refused_try_leaves_no_row_and_does_not_prolong_the_wait(self):
        for _ in range(3):
            with pytest.raises(WrongCredentials):
                sign_in.check_password(attempt=attempt(), password="guess", now=NOON)
        before = list(SignInTries.objects.order_by("key").values())

        for _ in range(5):
            with pytest.raises(TooManyTries):
                sign_in.check_password(attempt=attempt(), password=PASSWORD, now=NOON)

        assert list(SignInTries.objects.order_by("key").values()) == before

    def test_the_wait_grows_when_it_goes_on_afterwards(self):
        waits, now = [], NOON
        for _ in range(8):
            with pytest.raises(WrongCredentials):
                sign_in.check_password(attempt=attempt(), password="guess", now=now)
            try:
                sign_in.check_password(attempt=attempt(), password="guess", now=now)
            except TooManyTries as refused:
                waits.append(refused.retry_after // 60)
                now += timedelta(seconds=refused.retry_after)
            except WrongCredentials:
                waits.append(0)

        assert waits == [0, 1, 2, 4, 8, 15, 15, 15]

    def test_a_success_leaves_no_row(self):
        sign_in.check_password(attempt=attempt(), password=PASSWORD, now=NOON)

        assert not SignInTries.objects.exists()

    def test_neither_names_nor_addresses_are_kept(self):
        guess(1, username="my-secret-passphrase-in-the-wrong-box")

        kept = str(list(SignInTries.objects.values()))
        assert "passphrase" not in kept
        assert HOME not in kept

    def test_old_counts_are_forgotten(self):
        guess(2)
        now = timezone.now()

        assert sign_in.prune_tries(now=now) == 0
        assert sign_in.prune_tries(now=now + timedelta(hours=2)) == 3
        assert not SignInTries.objects.exists()

    def test_a_try_costs_a_handful_of_statements(self, django_assert_max_num_queries):
        with django_assert_max_num_queries(14):
            sign_in.check_password(attempt=attempt(), password=PASSWORD, now=NOON)

    def test_a_refusal_costs_less(self, django_assert_max_num_queries):
        guess(3)

        with django_assert_max_num_queries(4), pytest.raises(TooManyTries):
            sign_in.check_password(attempt=attempt(), password=PASSWORD, now=timezone.now())


class TestAudit:
    def test_a_limit_that_is_reached_is_written_down_once_failures_are_not(self):
        guess(2)
        early = AuditEntry.objects.count()

        guess(4)

        (entry,) = AuditEntry.objects.all()
        assert early == 0
        assert (entry.action, entry.object_label) == ("slow_down", "ana")
        assert (entry.actor, entry.source, entry.address) == (None, "page", HOME)
        assert entry.after["counted_by"] == "name at address"
        assert entry.after["failures"] == 3

    def test_what_was_typed_is_written_down_only_when_somebody_has_that_name(self):
        guess(3, username="my-secret-passphrase-in-the-wrong-box")

        (entry,) = AuditEntry.objects.all()
        assert entry.object_label == "a name nobody has"

    def test_a_name_that_is_attacked_from_everywhere_is_written_down_once(self):
        for number in range(35):
            guess(1, address=f"198.51.100.{number}")

        (entry,) = AuditEntry.objects.all()
        assert entry.object_label == "ana"
        assert entry.after == {"counted_by": "name", "failures": 30, "waits_until": None}


@door
@pytest.mark.parametrize("word", ["unknown", "unix:", "", "x" * 300])
def test_a_proxy_that_says_no_address_keeps_nobody_out(door, word):
    answer = door(Client(), address=word)

    assert answer.status_code in {201, 302}
    assert AuditEntry.objects.latest("pk").address is None
