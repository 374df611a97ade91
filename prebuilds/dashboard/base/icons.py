"""Which icon stands for a template, preset or workspace. The outlines are in static/icons.svg."""

from typing import Final

TEMPLATE_ICONS: Final = frozenset(
    {
        "bolt",
        "box",
        "brand-docker",
        "brand-nodejs",
        "brand-python",
        "bug",
        "code",
        "database",
        "device-laptop",
        "flame",
        "flask",
        "git-branch",
        "rocket",
        "server",
        "sparkles",
        "stack-2",
        "template",
        "terminal-2",
        "test-pipe",
        "world",
    }
)
_SHORT_NAMES: Final = {
    "python": "brand-python",
    "docker": "brand-docker",
    "nodejs": "brand-nodejs",
    "node": "brand-nodejs",
    "terminal": "terminal-2",
    "stack": "stack-2",
    "laptop": "device-laptop",
    "globe": "world",
}


def icon_name(wanted: str, fallback: str = "template") -> str:
    """Return an icon the sprite holds; an unknown name gives the fallback."""
    name = _SHORT_NAMES.get(wanted, wanted)
    return name if name in TEMPLATE_ICONS else fallback
