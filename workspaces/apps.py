"""Django's handle on the package."""

from django.apps import AppConfig


class WorkspacesConfig(AppConfig):
    """Register the workspaces package."""

    name = "workspaces"
    default_auto_field = "django.db.models.BigAutoField"
