"""The OpenAPI document: whole, valid, and made without a complaint."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import get_resolver
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from jsonschema import Draft202012Validator

from tests.api.matrix import API_ROWS
from tests.api.test_access_matrix import API, routes

NOWHERE = "^"
PROBES = {"/healthz", "/readyz"}
PARAMETER = re.compile(r"<\w+:(\w+)>")


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The document; a warning while it is made fails every test of this module."""
    file: Path = tmp_path_factory.mktemp("document") / "openapi.json"
    call_command(
        "spectacular", "--validate", "--fail-on-warn", format="openapi-json", file=str(file)
    )
    return dict(json.loads(file.read_text()))


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def documented(route: str) -> str:
    return "/" + PARAMETER.sub(r"{\1}", route)


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    validate_schema(document)


def test_each_shape_is_a_valid_json_schema(document: dict[str, Any]) -> None:
    for shape in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(shape)


def test_every_address_of_the_api_is_in_the_document(document: dict[str, Any]) -> None:
    walked = {
        documented(route)
        for route in routes(get_resolver().url_patterns)
        if route.startswith(API) and not route.endswith(NOWHERE)
    }

    assert walked | PROBES == set(document["paths"])


def test_the_document_holds_the_methods_that_are_offered(document: dict[str, Any]) -> None:
    offered = {(row.method, documented(row.whole)) for row in API_ROWS if row.route != NOWHERE}

    found = {(method, path) for method, path, _ in operations(document)}
    assert found == offered | {("GET", probe) for probe in PROBES}


def test_each_operation_says_what_it_does(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        assert operation["summary"], f"{method} {path}"
        assert operation["description"], f"{method} {path}"


def test_each_operation_has_one_tag_and_a_name_of_its_own(document: dict[str, Any]) -> None:
    names = Counter(operation["operationId"] for _, _, operation in operations(document))

    assert [name for name, times in names.items() if times > 1] == []
    assert all(len(operation["tags"]) == 1 for _, _, operation in operations(document))


def test_each_operation_says_who_may_call_it(document: dict[str, Any]) -> None:
    schemes = set(document["components"]["securitySchemes"])
    open_to_all = {
        path for _, path, operation in operations(document) if not operation.get("security")
    }

    assert open_to_all == {"/api/v2/users/login", *PROBES}
    for _, _, operation in operations(document):
        assert {name for each in operation.get("security", ()) for name in each} <= schemes


def test_each_error_has_the_one_shape(document: dict[str, Any]) -> None:
    shape = {"$ref": "#/components/schemas/Error"}

    for method, path, operation in operations(document):
        for status, response in operation["responses"].items():
            if status.startswith("4"):
                body = response["content"]["application/json"]["schema"]
                assert body == shape, f"{method} {path} {status}"


@pytest.mark.django_db
def test_the_document_is_made_once_as_nobody_signs_in_for_it(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = client.get("/api/schema?format=json")

    monkeypatch.delattr(SchemaGenerator, "get_schema")
    second = client.get("/api/schema?format=json")

    assert second.status_code == 200
    assert second.content == first.content
