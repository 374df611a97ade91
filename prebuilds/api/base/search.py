"""The search `q` of a list: `status:active role:owner ana`. What is not understood is an error."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from django.db.models import Q
from rest_framework import serializers

TERM: Final = re.compile(r'(?:([\w-]+):)?("[^"]*"|\S+)')
TERM_LIMIT: Final = 30
Filters = Mapping[str, Callable[[str], Q]]


def read_search(text: str, filters: Filters) -> Q:
    """Return the condition for a search; all terms must hold, a free word is the filter "".

    A filter raises ValueError for a value it does not understand, with what it would.
    """
    condition = Q()
    terms = TERM.findall(text)
    if len(terms) > TERM_LIMIT:
        raise _problem(f"A search takes at most {TERM_LIMIT} terms; this one has {len(terms)}.")
    for key, value in terms:
        condition &= _read_term(key.lower(), value.strip('"'), filters)
    return condition


def one_of(value: str, known: Mapping[str, Q] | list[str]) -> str:
    """Return the value when it is a known word; raises ValueError that lists them."""
    if value.lower() not in known:
        raise ValueError(f'"{value[:64]}" is none of {", ".join(known)}.')
    return value.lower()


def _read_term(key: str, value: str, filters: Filters) -> Q:
    if key not in filters:
        known = ", ".join(f"{name}:" for name in filters if name)
        raise _problem(f'"{key[:64]}:" is no filter. Use {known} or a part of the name.')
    try:
        return filters[key](value)
    except ValueError as error:
        raise _problem(f"{key}: {error}") from error


def _problem(text: str) -> serializers.ValidationError:
    return serializers.ValidationError({"q": [text]})
