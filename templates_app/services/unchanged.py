"""The mark of a field that an edit leaves as it is, where None is a value of its own."""

from enum import Enum
from typing import Final, Literal


class Unchanged(Enum):
    """Has one member; a type checker can tell it from every value."""

    MARK = "unchanged"


UNCHANGED: Final = Unchanged.MARK
Same = Literal[Unchanged.MARK]
