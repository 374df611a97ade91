"""Pages travel compressed, streams do not."""

import gzip

import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.test import Client, RequestFactory

from config.compression import CompressPages


@pytest.mark.django_db
def test_a_page_is_sent_compressed(client: Client) -> None:
    response = client.get("/sign-in/", headers={"Accept-Encoding": "gzip"})

    assert response["Content-Encoding"] == "gzip"
    assert b"Sign in" in gzip.decompress(response.content)


@pytest.mark.parametrize(
    ("answer", "is_compressed"),
    [
        (HttpResponse("x" * 1000), True),
        (StreamingHttpResponse(iter(["x" * 1000])), False),
    ],
    ids=["whole", "stream"],
)
def test_a_stream_goes_as_it_is(answer: HttpResponse, is_compressed: bool) -> None:
    request = RequestFactory(headers={"Accept-Encoding": "gzip"}).get("/")

    response = CompressPages(lambda _: answer)(request)

    assert response.has_header("Content-Encoding") == is_compressed
