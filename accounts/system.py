"""The prebuilds user: the owner of every workspace nobody has claimed yet (semantics.md 1).

Its id is a constant of the product, so constraints, partial indexes and pure code can name it.
"""

from typing import Final
from uuid import UUID

PREBUILDS_USER_ID: Final = UUID("c42fdf75-3097-471c-8c33-fb52454d81c0")
PREBUILDS_USERNAME: Final = "prebuilds"
PREBUILDS_GROUP_NAME: Final = "coderprebuiltworkspaces"
PREBUILDS_GROUP_DISPLAY_NAME: Final = "Prebuilt Workspaces"
