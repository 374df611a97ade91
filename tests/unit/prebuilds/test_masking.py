"""What looks like a secret leaves the house neither by mail nor by log."""

import pytest

from prebuilds.masking import mask_secrets, names_a_secret


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("fetch https://bot:s3cret@host/x failed", "fetch https://bot:(hidden)@host/x failed"),
        ("https://bot:s3/cr@et@host", "https://bot:(hidden)@host"),
        (
            "postgresql://u:pw@h and redis://:pw@h",
            "postgresql://u:(hidden)@h and redis://:(hidden)@h",
        ),
        ("AWS_SECRET_ACCESS_KEY=abc/def+1 rest", "AWS_SECRET_ACCESS_KEY=(hidden) rest"),
        ("--password='a b c' --size=2", "--password=(hidden) --size=2"),
        ('{"api_key": "abc", "size": "m"}', '{"api_key": (hidden), "size": "m"}'),
        ("Authorization: Bearer abcdefghijklmnop", "Authorization: Bearer (hidden)"),
        ("Not Found: /mail/unsubscribe/abc:def/", "Not Found: /mail/unsubscribe/(hidden)/"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text, masked):
    assert mask_secrets(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "no such image: tool:9",
        "syntax error near unexpected token `fi'",
        "https://host:8080/path@v2 was not found",
        "disk full at 12:30:45, see mail to ana@example.com",
        "the token is missing",
    ],
)
def test_other_words_stay(text):
    assert mask_secrets(text) == text


@pytest.mark.parametrize(
    ("name", "is_secret"),
    [
        ("password", True),
        ("api_key", True),
        ("agent_token", True),
        ("Authorization", True),
        ("run_id", False),
        ("preset", False),
        ("key", False),
    ],
)
def test_a_field_is_known_by_its_name(name, is_secret):
    assert names_a_secret(name) is is_secret
