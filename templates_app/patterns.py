"""Compare a value with the regular expression of a template's author, within bounds. Pure.

An author writes the pattern and the process is everybody's: ^(a|a)+$ takes twice as long for each
letter of a value, and Python's own `re` neither ends it nor lets anybody else go on meanwhile.
"""

import re
from collections.abc import Iterator
from typing import Final

import regex

SECONDS: Final = 0.1
"""Of processor time. What people write takes a thousandth of it; what takes more would for ever."""


def compile_fault(pattern: str) -> str:
    """Return why a pattern is none; empty for one that is."""
    try:
        re.compile(pattern)
        regex.compile(pattern)
    except (re.error, regex.error, OverflowError, RecursionError) as reason:
        return str(reason)
    return ""


def match_faults(pattern: str, text: str, *, shown: str) -> Iterator[str]:
    """Yield what is wrong with a text that is to match somewhere; `shown` is how to quote it."""
    try:
        if not regex.search(pattern, text, timeout=SECONDS, concurrent=True):
            yield f"does not match {shown}, give a value that does"
    except TimeoutError:
        yield (
            f"takes too long to compare with the template's regex {shown}, "
            "give a shorter value or write a simpler regex there"
        )
