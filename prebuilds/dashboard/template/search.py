"""Which search of the workspaces page finds what is made from a template. Pure."""

from urllib.parse import urlencode

from templates_app.models import Template


def workspaces_query(template: Template, *terms: str) -> str:
    """Return the query of the workspaces page that finds what is made from the template."""
    words = [
        *terms,
        f"template:{template.name}",
        f'organization:"{template.organization.name}"',
    ]
    return urlencode({"q": " ".join(words)})
