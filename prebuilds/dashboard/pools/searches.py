"""Searches for what is in a pool, in the words of the workspaces page. Pure."""

from urllib.parse import urlencode


def members_query(template: str, preset: str, more: str = "") -> str:
    """Return the query of the workspaces page that lists a pool's prebuilds."""
    text = f"owner:prebuilds template:{template} preset:{_quoted(preset)} {more}"
    return urlencode({"q": text.strip()})


def _quoted(name: str) -> str:
    return f'"{name}"' if " " in name else name
