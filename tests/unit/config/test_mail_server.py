"""PREBUILDS_SMTP_URL and PREBUILDS_MAIL_FROM to what Django sends with."""

import pytest

from config.env import BadSetting, Environment
from config.mail_server import MailServer, default_sender, mail_server, sender

NAME = "PREBUILDS_SMTP_URL"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("", MailServer()),
        ("smtp://mail", MailServer(host="mail", port=25)),
        ("smtp://mail/?starttls=1", MailServer(host="mail", port=587, starttls=True)),
        ("smtp://mail:2525/?starttls=0", MailServer(host="mail", port=2525)),
        ("smtps://mail", MailServer(host="mail", port=465, tls=True)),
        (
            "smtp://us%40er:p%2Fw%3A@mail.example.com:587/?starttls=1",
            MailServer(
                host="mail.example.com", port=587, user="us@er", password="p/w:", starttls=True
            ),
        ),
        ("smtp://[::1]:1025", MailServer(host="::1", port=1025)),
    ],
)
def test_an_address_is_taken_apart_and_decoded(address, expected):
    assert mail_server(NAME, address) == expected


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://u:sekret@h", "begin with smtp://"),
        ("sekret", "begin with smtp://"),
        ("smtp://", "name a host"),
        ("smtp://u:sekret@h:0", "name a host"),
        ("smtp://u:sekret@h:port", "percent-encode"),
        ("smtp://u:sek/ret@h", "percent-encode"),
        ("smtp://u:sek@ret@h", "percent-encode"),
        ("smtp://u:sek#ret@h", "percent-encode|name a host"),
        ("smtp://sekret@h", "a user and a password, or neither"),
        ("smtp://h/?sekret", "percent-encode"),
        ("smtp://h/?starttls=yes", "the only option"),
        ("smtp://h/?tls=1", "the only option"),
        ("smtps://h/?starttls=1", "leave out starttls"),
        ("smtp://h/folder", "percent-encode"),
    ],
)
def test_a_wrong_address_is_explained_without_its_password(address, reason):
    with pytest.raises(BadSetting, match=reason) as caught:
        mail_server(NAME, address)
    assert str(caught.value).startswith(NAME)
    assert "sekret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_part_of_the_password_is_kept_for_showing():
    env = Environment({NAME: "smtps://ana:hunter2@mail.example.com:465"})

    assert env.mail_address(NAME) == "smtps://ana:hunter2@mail.example.com:465"
    assert [one.value for one in env.readings()] == ["smtps://ana@mail.example.com:465"]


def test_a_traceback_shows_no_password():
    assert "hunter2" not in repr(mail_server(NAME, "smtp://ana:hunter2@h"))


def test_without_a_host_nothing_is_sent():
    assert mail_server(NAME, "").backend == "django.core.mail.backends.dummy.EmailBackend"
    assert mail_server(NAME, "smtp://h").backend == "django.core.mail.backends.smtp.EmailBackend"


@pytest.mark.parametrize("text", ["prebuilds@example.com", "Pre Builds <prebuilds@example.com>"])
def test_a_sender_is_an_address_with_or_without_a_name(text):
    assert sender("PREBUILDS_MAIL_FROM", text) == text


@pytest.mark.parametrize(
    "text", ["prebuilds", "", "Prebuilds <>", "a@example.com, b@example.com", "a@b@example.com"]
)
def test_what_is_no_sender_is_refused_by_name(text):
    with pytest.raises(
        BadSetting, match=r"PREBUILDS_MAIL_FROM=.*Prebuilds <prebuilds@example.com>"
    ):
        sender("PREBUILDS_MAIL_FROM", text)


@pytest.mark.parametrize(
    ("access_url", "expected"),
    [
        ("https://pools.example.com", "Prebuilds <prebuilds@pools.example.com>"),
        ("http://127.0.0.1:8000", "Prebuilds <prebuilds@localhost>"),
        ("http://localhost:8000", "Prebuilds <prebuilds@localhost>"),
    ],
)
def test_the_sender_is_on_the_servers_own_host_when_that_has_a_name(access_url, expected):
    assert default_sender(access_url) == expected
