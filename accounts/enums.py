"""The words roles and token scopes are stored as."""

from django.db import models


class SiteRole(models.TextChoices):
    """Roles that hold everywhere. A user without any is a plain member."""

    OWNER = "owner", "Owner"
    TEMPLATE_ADMIN = "template-admin", "Template admin"
    USER_ADMIN = "user-admin", "User admin"
    AUDITOR = "auditor", "Auditor"


class OrganizationRole(models.TextChoices):
    """Roles that hold inside one organization, on a membership."""

    ADMIN = "organization-admin", "Organization admin"
    TEMPLATE_ADMIN = "organization-template-admin", "Organization template admin"
    AUDITOR = "organization-auditor", "Organization auditor"


class TokenScope(models.TextChoices):
    """What a token may be used for; each scope includes the ones before it."""

    READ = "read", "Read"
    USE = "use", "Use workspaces"
    MANAGE = "manage", "Manage"

    def includes(self, other: "TokenScope") -> bool:
        """Return whether this scope is as wide as the other, or wider."""
        order = list(TokenScope)
        return order.index(self) >= order.index(other)


class AuditSource(models.TextChoices):
    """Through which door a change came."""

    PAGE = "page", "Page"
    ADMIN = "admin", "Admin"
    API = "api", "API"
    COMMAND = "command", "Command"
    SYSTEM = "system", "System"
