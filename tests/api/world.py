"""One organization with one of everything, and everybody who could ask about it.

Made once and committed, so that what answers from other threads and connections sees it too; each
request of the matrix is rolled back.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.http import HttpResponseBase
from django.test import Client
from django.utils import timezone

from accounts.audit import THE_SYSTEM, Actor
from accounts.enums import AuditSource, OrganizationRole, SiteRole, TokenScope
from accounts.models import AuditEntry, User
from accounts.services import tokens
from prebuilds import reconciler
from prebuilds.conf import current_policy
from prebuilds.models import Trigger
from templates_app import services as template_services
from templates_app.parameters import ParameterDefinition
from tests.factories import (
    acquire,
    allow,
    default_organization,
    finish_all_jobs,
    make_agent_ready,
    make_daemon,
    make_key,
    make_organization,
    make_ready_prebuilds,
    make_template,
    make_user,
    make_workspace,
    pause,
    preset_of,
)
from workspaces.models import Agent, ProvisionerJob

PASSWORD = "a long enough passphrase"
SIZE = ParameterDefinition(name="size", type="string", options=("s", "m"), default="s")

PEOPLE: dict[str, dict[str, Any]] = {
    "member": {},
    "mine": {"password": PASSWORD},
    "stranger": {"organization_roles": [OrganizationRole.ADMIN]},
    "auditor": {"roles": [SiteRole.AUDITOR]},
    "user-admin": {"roles": [SiteRole.USER_ADMIN]},
    "template-admin": {"roles": [SiteRole.TEMPLATE_ADMIN]},
    "org-auditor": {"organization_roles": [OrganizationRole.AUDITOR]},
    "org-template-admin": {"organization_roles": [OrganizationRole.TEMPLATE_ADMIN]},
    "org-admin": {"organization_roles": [OrganizationRole.ADMIN]},
    "owner": {"roles": [SiteRole.OWNER], "password": PASSWORD},
}
"""Everybody is in the default organization, but the stranger, who administers another."""


@dataclass(kw_only=True)
class World:
    """What addresses and bodies are filled from, and what each caller carries."""

    fill: dict[str, Any]
    secrets: dict[str, str]
    sessions: dict[str, Any]
    users: dict[str, User] = field(default_factory=dict)

    def client(self, caller: str, *, by_session: bool) -> Client:
        """Return a new client of the caller; people use a token, or on pages their session."""
        if by_session and caller in self.sessions:
            client = Client()
            client.cookies.load(self.sessions[caller])
            return client
        secret = self.secrets.get(caller)
        client = Client(headers={"Authorization": f"Bearer {secret}"} if secret else {})
        client.raise_request_exception = False
        return client


def build_world() -> World:
    """Make everything, with reconciliation paused: a cycle of the matrix does nothing."""
    now = timezone.now()
    users = {kind: _person(kind, fields) for kind, fields in PEOPLE.items()}
    fill = _objects(users)
    secrets = {kind: _token(user, "session", TokenScope.MANAGE) for kind, user in users.items()}
    ours = users["owner"]
    secrets |= {
        "read-token": _token(ours, "reader", TokenScope.READ),
        "use-token": _token(ours, "user", TokenScope.USE),
        "agent": fill.pop("agent_token"),
        "key": fill.pop("key_secret"),
        "expired": _token(ours, "old", TokenScope.MANAGE, age=timedelta(hours=2)),
    }
    revoked, secrets["revoked"] = tokens.create_token(
        user=ours, name="gone", scope=TokenScope.MANAGE, expires_at=None, now=now
    )
    tokens.revoke_token(token=revoked, actor=THE_SYSTEM, now=now)
    pause(now=now)
    sessions = {kind: _session(user) for kind, user in users.items()}
    return World(fill=fill, secrets=secrets, sessions=sessions, users=users)


def _person(kind: str, fields: dict[str, Any]) -> User:
    home = make_organization("elsewhere") if kind == "stranger" else default_organization()
    return make_user(kind, organization=home, **fields)


def _token(user: User, name: str, scope: TokenScope, *, age: timedelta = timedelta(0)) -> str:
    """Make a token that ends an hour after it was made."""
    then = timezone.now() - age
    _, secret = tokens.create_token(
        user=user, name=name, scope=scope, expires_at=then + timedelta(hours=1), now=then
    )
    return secret


def _session(user: User) -> str:
    client = Client()
    client.force_login(user)
    return client.cookies.output(header="", sep=";")


def _objects(users: dict[str, User]) -> dict[str, Any]:
    """Make one of everything; the owner of what is a person's is `mine`."""
    home, mine = default_organization(), users["mine"]
    template = make_template("web", definitions=[SIZE])
    preset = preset_of(template)
    group = allow(mine, 1_000)
    (prebuild,) = make_ready_prebuilds(preset, 1)
    workspace = make_workspace(mine, template=template, name="lab")
    finish_all_jobs()
    agent = make_agent_ready(workspace)
    cycle = reconciler.run_cycle(
        trigger=Trigger.PERSON, policy=current_policy(), clock=timezone.now
    )
    finish_all_jobs()
    entry = _edit(preset, users["owner"])
    key, key_secret = make_key("remote")
    daemon = make_daemon(key=key)
    held = make_workspace(mine, template=template, name="held")
    job = acquire(daemon=daemon)
    assert job.workspace_id == held.pk
    waiting = make_workspace(mine, template=template, name="waiting")
    gone = make_daemon(key=key, machine="gone", now=timezone.now() - timedelta(hours=1))
    ProvisionerJob.objects.filter(workspace=workspace).update(machine=gone.machine)
    token, _ = tokens.create_token(
        user=mine, name="ci", scope=TokenScope.USE, expires_at=None, now=timezone.now()
    )
    workspace.refresh_from_db()
    waiting.refresh_from_db()
    ready = Agent.objects.get(resource__build_id=prebuild.latest_build_id)
    assert ready.lifecycle_state == "ready"
    return {
        "organization": home.pk,
        "user": mine.username,
        "people/user": mine.pk,
        "members/user": mine.pk,
        "workspace": workspace.pk,
        "workspace/name": workspace.name,
        "number": 1,
        "build": workspace.latest_build_id,
        "agent": agent.pk,
        "job": workspace.latest_build.job_id,
        "waiting_build": waiting.latest_build_id,
        "waiting_job": waiting.latest_build.job_id,
        "provisioner/job": job.job_id,
        "lease": job.lease,
        "daemon": daemon.pk,
        "provisionerkeys/name": key.name,
        "key": key.pk,
        "machine": gone.machine,
        "template": template.pk,
        "templatename": template.name,
        "version": template.active_version_id,
        "preset": preset.pk,
        "revision": preset.revision,
        "run": cycle.run_id,
        "entry_id": entry.pk,
        "transition": "stop",
        "group": group.pk,
        "token": token.pk,
        "mail": uuid4(),  # the mailbox opens in debug only; nobody can tell whether there is one
        "agent_token": f"token-of-{prebuild.pk}",
        "key_secret": key_secret,
    }


def _edit(preset: Any, editor: User) -> AuditEntry:
    """Edit a preset once, so that there is something to take back."""
    template_services.edit_preset(
        preset_id=preset.pk,
        revision=preset.revision,
        changes=template_services.PresetChanges(desired_instances=3),
        actor=Actor(user=editor, source=AuditSource.PAGE, address=None),
        now=timezone.now(),
    )
    preset.refresh_from_db()
    return AuditEntry.objects.filter(action="edit", object_id=str(preset.pk)).latest("at")


def read_status(response: HttpResponseBase) -> int:
    """Return the status and let go of a stream nobody reads."""
    response.close()
    return response.status_code
