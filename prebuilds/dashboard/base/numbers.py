"""Read the whole numbers of forms: what no number of ours is, is none."""

from typing import Final

MOST_DIGITS: Final = 18
"""Fewer than what a database's number holds; Python itself refuses to read thousands of them."""


def read_whole(text: str) -> int | None:
    """Return the number that these digits write, 0 or more; None for anything else."""
    if not (text.isascii() and text.isdecimal()) or len(text) > MOST_DIGITS:
        return None
    return int(text)
