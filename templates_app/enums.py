"""The words templates, parameters and presets are stored as."""

from django.db import models


class ProvisionerType(models.TextChoices):
    """Which driver builds the workspaces of a version."""

    LOCAL = "local", "Local processes"


class ParameterType(models.TextChoices):
    """The type of a template parameter's value."""

    STRING = "string", "Text"
    NUMBER = "number", "Number"
    BOOL = "bool", "Yes or no"
    LIST = "list(string)", "List of texts"


class Monotonic(models.TextChoices):
    """Which way a number may move between builds of one workspace."""

    INCREASING = "increasing", "May only grow"
    DECREASING = "decreasing", "May only shrink"


class PrebuildStatus(models.TextChoices):
    """Whether the pool of a preset may create (semantics.md 9 and 10)."""

    HEALTHY = "healthy", "Healthy"
    HARD_LIMITED = "hard_limited", "Hard-limited"
    VALIDATION_FAILED = "validation_failed", "Validation failed"
