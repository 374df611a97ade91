"""Django's handle on the package."""

from django.apps import AppConfig


class PrebuildsConfig(AppConfig):
    """Register the prebuilds package."""

    name = "prebuilds"
    default_auto_field = "django.db.models.BigAutoField"
