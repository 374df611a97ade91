"""Django's handle on the package."""

from django.apps import AppConfig


class TemplatesAppConfig(AppConfig):
    """Register the templates package."""

    name = "templates_app"
    verbose_name = "Templates"
    default_auto_field = "django.db.models.BigAutoField"
