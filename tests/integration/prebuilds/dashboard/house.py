"""Rows the page tests need, written straight into the tables so that no service is under test."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db import transaction
from django.utils import timezone

from accounts.models import Membership, Organization, User
from accounts.system import PREBUILDS_USER_ID, PREBUILDS_USERNAME
from templates_app.models import (
    ParameterDefinition,
    Preset,
    PresetParameter,
    Template,
    TemplateVersion,
)
from workspaces.models import (
    Agent,
    ProvisionerJob,
    Workspace,
    WorkspaceBuild,
    WorkspaceResource,
)

PASSWORD = "correct horse"


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """An organization with two people, one template and one pool of two."""

    organization: Organization
    admin: User
    member: User
    template: Template
    preset: Preset


def build_house() -> House:
    organization, _ = Organization.objects.get_or_create(
        is_default=True, defaults={"name": "default", "display_name": "Default"}
    )
    _ensure_prebuilds_user(organization)
    admin = User.objects.create_user("ana", PASSWORD, name="Ana Lima", roles=["owner"])
    member = User.objects.create_user("ben", PASSWORD, name="Ben Okafor")
    for user in (admin, member):
        Membership.objects.create(organization=organization, user=user)
    template = add_template(organization, admin, "python-service")
    preset = add_preset(template, "Small", 2, is_default=True)
    PresetParameter.objects.create(preset=preset, name="region", value="eu")
    return House(
        organization=organization, admin=admin, member=member, template=template, preset=preset
    )


def add_template(organization: Organization, author: User, name: str) -> Template:
    template = Template.objects.create(
        organization=organization, name=name, display_name=name.replace("-", " ").capitalize()
    )
    version = TemplateVersion.objects.create(template=template, name="v1", created_by=author)
    definitions = (
        {"name": "region", "type": "string", "options": ["eu", "us"], "default": "eu"},
        {"name": "cpus", "type": "number", "validation_min": 1, "validation_max": 8},
        {"name": "verbose", "type": "bool", "default": "false"},
    )
    for position, fields in enumerate(definitions):
        default = fields.get("default", "2")
        ParameterDefinition.objects.create(
            version=version, position=position, **(fields | {"default": default})
        )
    template.active_version = version
    template.save()
    return template


def add_preset(template: Template, name: str, desired: int, *, is_default: bool = False) -> Preset:
    return Preset.objects.create(
        version=template.active_version,
        name=name,
        desired_instances=desired,
        is_default=is_default,
    )


def add_workspace(
    preset: Preset,
    *,
    owner_id: UUID = PREBUILDS_USER_ID,
    name: str = "",
    agent: str = "ready",
    error: str = "",
    finished: bool = True,
    created_at: datetime | None = None,
) -> Workspace:
    created = created_at or timezone.now() - timedelta(minutes=5)
    template = preset.version.template
    build_id = uuid4()
    is_prebuild = owner_id == PREBUILDS_USER_ID
    with transaction.atomic():
        workspace = Workspace.objects.create(
            organization_id=template.organization_id,
            owner_id=owner_id,
            template=template,
            name=name or f"prebuild-{uuid4().hex[:15]}",
            created_at=created,
            latest_build_id=build_id,
        )
        job = ProvisionerJob.objects.create(
            organization_id=template.organization_id,
            initiator_id=owner_id,
            workspace=workspace,
            provisioner_type="local",
            created_at=created,
            started_at=created,
            lease=uuid4(),
            heartbeat_at=created,
            completed_at=created + timedelta(seconds=30) if finished else None,
            error=error,
            error_code="script_failed" if error else "",
        )
        build = WorkspaceBuild.objects.create(
            id=build_id,
            workspace=workspace,
            build_number=1,
            transition="start",
            template_version=preset.version,
            preset=preset,
            initiator_id=owner_id,
            stage="prebuild_create" if is_prebuild else "none",
            job=job,
            created_at=created,
        )
        _add_agent(build, agent, created)
    return workspace


def set_agent(workspace: Workspace, state: str) -> None:
    Agent.objects.filter(resource__build=workspace.latest_build_id).update(
        lifecycle_state=state, ready_at=timezone.now() if state == "ready" else None
    )


def _add_agent(build: WorkspaceBuild, state: str, created: datetime) -> None:
    if not state:
        return
    resource = WorkspaceResource.objects.create(build=build, name="main", type="process")
    Agent.objects.create(
        resource=resource,
        name="main",
        token_digest=uuid4().bytes * 2,
        lifecycle_state=state,
        ready_at=created + timedelta(seconds=40) if state == "ready" else None,
    )


def _ensure_prebuilds_user(organization: Organization) -> None:
    """A test that truncated the tables took the row of the migration with it."""
    user, _ = User.with_system.get_or_create(
        id=PREBUILDS_USER_ID,
        defaults={
            "username": PREBUILDS_USERNAME,
            "is_system": True,
            "is_active": False,
            "password": "!",
        },
    )
    Membership.objects.get_or_create(organization=organization, user=user)
