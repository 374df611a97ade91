"""What can be done to people, by subject. Who may is the faces' question to accounts.policy,
but nobody rises by any of it: that is asked here, whichever door they came through.
"""

from accounts.services.organizations import ensure_prebuilds_membership
from accounts.services.tokens import create_token

__all__ = ["create_token", "ensure_prebuilds_membership"]
