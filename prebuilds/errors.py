"""What can go wrong about pools and claims.

PrebuildsError
├── PresetNotOfTemplate   the preset belongs to another template or version
├── IdempotencyKeyReused  the key came with another request before
├── TemplateInUse         people's workspaces are made from the template, so it stays
└── UnsubscribeLinkUnknown  the link of a mail names nobody we know
"""


class PrebuildsError(Exception):
    """Something about a pool or a claim is not as it must be."""


class PresetNotOfTemplate(PrebuildsError):
    """This preset is not one of the template version's own. Choose one of those."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class IdempotencyKeyReused(PrebuildsError):
    """This Idempotency-Key came with another request before. Use a new key for a new request."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class TemplateInUse(PrebuildsError):
    """People still have workspaces made from this template, so it cannot be deleted."""

    def __init__(self, count: int) -> None:
        workspaces = "1 workspace" if count == 1 else f"{count} workspaces"
        super().__init__(
            f"People have {workspaces} made from this template. Delete those first, or deprecate "
            "the template: then nobody makes new ones and its pools drain."
        )


class UnsubscribeLinkUnknown(PrebuildsError):
    """This link stops no mails. Sign in and choose on your account page which mails you get."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)
