"""What the access matrix sends: a body good enough to get past everything but the policy."""

import json
import re
from typing import Any, Final

from django.test import Client

from tests.api.test_provisioner_protocol import DAEMON_VERBS, PROFILE, VERBS
from tests.api.world import PASSWORD, World

PARAMETER: Final = re.compile(r"<\w+:(\w+)>")
PAGE_QUERIES: Final = {"workspaces/bulk": "?transition=stop"}
NEW = {"name": "new"}
PASSWORDS = {"old_password": PASSWORD, "password": "another long passphrase"}


def api_body(world: World, method: str, route: str) -> Any:
    """Return the JSON body of a request of the API."""
    fill = world.fill
    daemon = {"daemon_id": str(fill["daemon"]), "lease": str(fill["lease"])}
    provisioner = {
        f"POST provisioner/jobs/<uuid:job>/{verb}": {**daemon, **said}
        for verb, said in VERBS.items()
    }
    daemons = {
        f"POST provisioner/daemons/<uuid:daemon>/{verb}": said
        for verb, said in DAEMON_VERBS.items()
    }
    template = {"template_id": str(fill["template"])}
    bodies: dict[str, Any] = {
        **provisioner,
        **daemons,
        "POST provisioner/daemons": PROFILE,
        "PATCH workspaces/<uuid:workspace>": {"name": "renamed"},
        "POST organizations/<uuid:organization>/members/<str:user>/workspaces": template | NEW,
        "POST users/<str:user>/workspaces": template | NEW,
        "POST workspaces/<uuid:workspace>/builds": {"transition": "stop"},
        "PUT workspaces/<uuid:workspace>/ttl": {"ttl_ms": 60_000},
        "PUT workspaces/<uuid:workspace>/autostart": {"schedule": "30 9 * * 1-5"},
        "PUT workspaces/<uuid:workspace>/extend": {"deadline": "2100-01-01T00:00:00Z"},
        "PUT workspaces/<uuid:workspace>/dormant": {"dormant": True},
        "PUT workspaces/<uuid:workspace>/autoupdates": {"automatic_updates": "always"},
        "POST provisionerjobs/cancel-pending": template,
        "POST organizations/<uuid:organization>/provisionerkeys": NEW,
        "PUT prebuilds/settings": {"reconciliation_paused": False},
        "POST workspaceagents/me/lifecycle": {
            "state": "ready",
            "changed_at": "2026-03-04T12:00:00Z",
        },
        "PATCH workspaceagents/me/logs": {"logs": []},
        "PATCH templates/<uuid:template>": {"description": "other words"},
        "PATCH templates/<uuid:template>/versions": {"id": str(fill["version"])},
        "POST organizations/<str:organization>/templates": {"name": "new", "version": NEW},
        "POST organizations/<str:organization>/templateversions": template | NEW,
        "POST templateversions/<uuid:version>/presets": {
            "name": "new",
            "parameters": {"size": "m"},
        },
        "PATCH presets/<uuid:preset>": {"description": "other words"},
        "POST users/login": {"username": "mine", "password": PASSWORD},
        "POST users": {"username": "new"},
        "PUT users/<str:user>/profile": {"username": "mine", "name": "other words"},
        "PUT users/<str:user>/roles": {"roles": []},
        "PUT users/<str:user>/password": PASSWORDS,
        "POST users/<str:user>/keys/tokens": {"token_name": "new"},
        "POST organizations": NEW,
        "PATCH organizations/<str:organization>": {"display_name": "Other words"},
        "PUT organizations/<str:organization>/members/<str:user>/roles": {"roles": []},
        "POST organizations/<str:organization>/groups": NEW,
        "PATCH groups/<uuid:group>": {"display_name": "Other words"},
    }
    return bodies.get(f"{method} {route}", {})


def ask_api(world: World, client: Client, method: str, route: str, body: Any = None) -> Any:
    """Send one request of the API as JSON."""
    sent = api_body(world, method, route) if body is None else body
    bare = method in {"GET", "DELETE"}
    return client.generic(
        method,
        f"/api/v2/{address(world, route)}",
        "" if bare else json.dumps(sent),
        content_type="application/json",
        headers={"If-Match": "*"},
    )


def page_form(world: World, route: str) -> dict[str, Any]:
    """Return what the browser sends with a button of a page."""
    forms: dict[str, dict[str, Any]] = {
        "workspaces/new/": {"name": "new", "size": "s"},
        "presets/<uuid:preset_id>/desired": {"desired_instances": "4"},
        "presets/<uuid:preset_id>/revert/<int:entry_id>": {"revision": world.fill["revision"]},
        "pools/desired": {"presets": str(world.fill["preset"]), "desired_instances": "4"},
        "workspaces/bulk": {
            "transition": "stop",
            "workspaces": str(world.fill["workspace"]),
        },
        "pools/retry": {"presets": str(world.fill["preset"])},
        "pools/invalidate": {"presets": str(world.fill["preset"])},
        "reconcile/pause": {"reason": "upgrade"},
        "sign-in/": {"username": "mine", "password": PASSWORD},
    }
    return forms.get(route, {})


def ask_page(world: World, client: Client, method: str, route: str) -> Any:
    """Send one request of a page as a form."""
    send = getattr(client, method.lower())
    where = f"/{address(world, route)}{PAGE_QUERIES.get(route, '')}"
    return send(where, page_form(world, route) if method == "POST" else None)


def address(world: World, route: str) -> str:
    """Return a route with the ids and names of the world in it."""
    steps = route.replace("^", "nothing/here").split("/")
    return "/".join(
        _value(world, steps[place - 1] if place else "", step, route)
        for place, step in enumerate(steps)
    )


def known_ids(world: World, path: str) -> dict[str, str]:
    """Return what stands in the braces of a documented path, by name."""
    route = path.removeprefix("/api/v2/")
    steps = route.split("/")
    return {
        step[1:-1]: _value(world, before, f"<str:{step[1:-1]}>", route)
        for before, step in zip(["", *steps], steps, strict=False)
        if step.startswith("{")
    }


def _value(world: World, before: str, step: str, route: str) -> str:
    found = PARAMETER.fullmatch(step)
    if found is None:
        return step
    name = found[1].removesuffix("_id") if found[1] != "entry_id" else found[1]
    waiting = f"waiting_{name}" if route.endswith("/cancel") else name
    first = route.split("/", maxsplit=1)[0]
    for key in (f"{first}/{name}", f"{before}/{name}", waiting, name):
        if key in world.fill:
            return str(world.fill[key])
    raise KeyError(f"the world has nothing for {step} of {route}")
