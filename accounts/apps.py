"""Django's handle on the package."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Register the accounts package."""

    name = "accounts"
    default_auto_field = "django.db.models.BigAutoField"
