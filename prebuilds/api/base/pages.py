"""One part of a list: rows, how many there are in all, and links to the parts beside it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.db.models import Model, QuerySet
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

Row = TypeVar("Row", bound=Model)


def answer_page(
    request: Request,
    rows: QuerySet[Row],
    page: Mapping[str, Any],
    as_json: Callable[[Row], Any],
    *,
    wrap: str = "",
    shown: QuerySet[Row] | None = None,
    before: Callable[[Sequence[Row]], object] | None = None,
) -> Response:
    """Answer with the rows `page` (a checked PageQuery) asks for; two statements.

    `shown` are the same rows with the relations their JSON needs. The page is found in `rows` and
    read from `shown`, by a third statement: so what is searched for and what is shown do not meet
    in one plan.
    `before` is called once with those rows, to read in bulk what each one's JSON needs.

    Coder wraps some lists as `{wrap: rows, "count": n}` and sends others bare. Either way
    `X-Total-Count` carries the number of all rows and `Link` the addresses of the next and the
    previous part. `rows` must have a total order, or parts would overlap.
    """
    limit, offset = page["limit"], page["offset"]
    count = rows.count()
    found = _read(rows[offset : offset + limit], shown) if count > offset else []
    if before is not None:
        before(found)
    rows_as_json = [as_json(row) for row in found]
    response = Response({wrap: rows_as_json, "count": count} if wrap else rows_as_json)
    response["X-Total-Count"] = str(count)
    links = _links(request, limit=limit, offset=offset, count=count)
    if links:
        response["Link"] = ", ".join(links)
    return response


def _read(part: QuerySet[Row], shown: QuerySet[Row] | None) -> list[Row]:
    if shown is None:
        return list(part)
    keys = list(part.values_list("pk", flat=True))
    found = shown.in_bulk(keys)
    return [found[key] for key in keys if key in found]


def list_of(wrap: str, shape: type[serializers.Serializer[Any]]) -> serializers.Serializer[Any]:
    """Return the schema of a wrapped list, as `answer_page` sends it."""
    return inline_serializer(
        name=f"{wrap.title().replace('_', '')}Page",
        fields={wrap: shape(many=True), "count": serializers.IntegerField()},
    )


def _links(request: Request, *, limit: int, offset: int, count: int) -> list[str]:
    links = []
    if offset + limit < count:
        links.append(_link(request, "next", offset + limit))
    if offset > 0:
        links.append(_link(request, "prev", max(offset - limit, 0)))
    return links


def _link(request: Request, relation: str, offset: int) -> str:
    parameters = request.query_params.dict() | {"offset": str(offset)}
    return f'<{request.build_absolute_uri(request.path)}?{urlencode(parameters)}>; rel="{relation}"'
