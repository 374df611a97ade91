"""Long tables: pages, an order and filters that live in the URL, so that a link shows the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest

PAGE_SIZE: Final = 50
Row = TypeVar("Row")
ModelRow = TypeVar("ModelRow", bound=Model)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Generic[Row]):
    """One page of a table. `query` is the URL's query without the page: filters and order."""

    rows: Sequence[Row]
    count: int
    number: int
    pages: int
    query: str
    live_query: str

    @property
    def previous(self) -> str:
        """Return the query of the page before; empty on the first."""
        return self._page(self.number - 1) if self.number > 1 else ""

    @property
    def following(self) -> str:
        """Return the query of the next page; empty on the last."""
        return self._page(self.number + 1) if self.number < self.pages else ""

    def _page(self, number: int) -> str:
        return "&".join(part for part in (self.query, f"page={number}") if part)


def list_page(
    request: HttpRequest, rows: Sequence[Row] | QuerySet[Any, Row], *, size: int = PAGE_SIZE
) -> Listing[Row]:
    """Return the page the URL asks for, the nearest one when there is none of that number."""
    paginator: Paginator[Row] = Paginator(rows, size)
    page = paginator.get_page(request.GET.get("page"))
    query = query_of(request, without=("page", "format"))
    return Listing(
        rows=list(page.object_list),
        count=paginator.count,
        number=page.number,
        pages=paginator.num_pages,
        query=query,
        live_query=query_of(request, without=("format",)),
    )


def query_of(request: HttpRequest, *, without: Sequence[str] = (), **changed: str) -> str:
    """Return the URL's query with some parameters changed and some left out, empty ones too."""
    kept = {name: value for name, value in request.GET.items() if name not in without}
    return urlencode({name: value for name, value in {**kept, **changed}.items() if value})


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A column's heading that sorts: the query to press it with, and how it sorts now."""

    key: str
    label: str
    query: str
    direction: str
    is_number: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column one may sort by; `order` are the ORM's names, ascending."""

    key: str
    label: str
    order: tuple[str, ...] = ()
    is_number: bool = False


def sort_page(
    request: HttpRequest, columns: Sequence[Column], *, default: str
) -> tuple[list[str], list[Heading]]:
    """Return the ORM order the URL asks for, and the headings. `-key` in `sort` is descending."""
    known: Mapping[str, Column] = {column.key: column for column in columns if column.order}
    asked = request.GET.get("sort", default)
    if asked.removeprefix("-") not in known:
        asked = default
    descending = asked.startswith("-")
    chosen = known[asked.removeprefix("-")]
    order = [_turned(name, descending) for name in chosen.order]
    return order, [_heading(request, column, asked) for column in columns]


def _turned(name: str, descending: bool) -> str:
    plain = name.removeprefix("-")
    return plain if name.startswith("-") == descending else f"-{plain}"


def _heading(request: HttpRequest, column: Column, asked: str) -> Heading:
    sorts_now = asked.removeprefix("-") == column.key
    descending = asked.startswith("-")
    following = f"-{column.key}" if sorts_now and not descending else column.key
    return Heading(
        key=column.key,
        label=column.label,
        query=query_of(request, without=("page", "format"), sort=following) if column.order else "",
        direction=("descending" if descending else "ascending") if sorts_now else "",
        is_number=column.is_number,
    )
