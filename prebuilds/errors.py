"""What can go wrong about pools and claims.

PrebuildsError
└── PresetNotOfTemplate   the preset belongs to another template or an old version
"""


class PrebuildsError(Exception):
    """Something about a pool or a claim is not as it must be."""


class PresetNotOfTemplate(PrebuildsError):
    """This preset is not one of the template's active version. Choose one of those."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)
