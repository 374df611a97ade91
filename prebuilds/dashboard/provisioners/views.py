"""The list of provisioners and of their keys; a key made, shown once, and revoked."""

import shlex
from typing import Any, Final
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import Organization, User
from accounts.policy import Action, Resource, subject_of
from prebuilds.dashboard.base.access import actor_of, current_user, signed_in
from prebuilds.dashboard.base.export import Field, asked_format, export
from prebuilds.dashboard.base.forms import HouseForm, sent
from prebuilds.dashboard.base.listing import list_page
from prebuilds.dashboard.base.page import render_fragment, render_page
from prebuilds.dashboard.base.plan import Plan, PlanLine, leave, render_plan
from prebuilds.dashboard.base.wording import say_count
from prebuilds.dashboard.provisioners.presentation import (
    TAG_LIMIT,
    BadTags,
    last_of_machines,
    read_tags,
    say_daemons,
    say_tags,
    view_daemon,
    view_keys,
)
from workspaces.enums import DaemonStatus
from workspaces.errors import InvalidKeyName, KeyNameTaken
from workspaces.models import ProvisionerKey
from workspaces.selectors import DaemonRow, list_daemons, list_keys
from workspaces.services import provisioner_keys

METHODS: Final = ["GET", "HEAD", "POST"]
_RESOURCE: Final = Resource.PROVISIONER
EXPORT: Final = tuple(
    Field(name=name, path=path)
    for name, path in (
        ("id", "daemon_id"),
        ("name", "name"),
        ("hostname", "hostname"),
        ("status", "status"),
        ("jobs", "jobs.__len__"),
        ("concurrency", "concurrency"),
        ("machine", "machine"),
        ("version", "version"),
        ("organization", "organization_name"),
        ("key", "key_name"),
        ("tags", "tags"),
        ("started_at", "started_at"),
        ("last_seen_at", "last_seen_at"),
    )
)


class KeyForm(HouseForm):
    """Whom a key is for, what to call it, and which jobs its provisioners may do."""

    organization = forms.ChoiceField()
    name = forms.CharField(
        max_length=TAG_LIMIT,
        help_text="Letters, digits, - and _, such as build-1.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    tags = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "placeholder": "region=eu"}),
        help_text="key=value, one a line. Its provisioners do jobs whose tags are all among these. "
        "Tags and organization of a key never change.",
    )

    def __init__(self, *args: Any, homes: list[Organization], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["organization"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(str(home.pk), str(home)) for home in homes]

    def clean_tags(self) -> dict[str, str]:
        """Return the tags; say which line is none."""
        try:
            return read_tags(self.cleaned_data["tags"])
        except BadTags as error:
            raise forms.ValidationError(str(error)) from error


@signed_in
@require_safe
def index(request: HttpRequest) -> HttpResponseBase:
    """List the provisioners that serve one's organizations, and their keys."""
    _require_reader(current_user(request))
    if asked_format(request):
        return export(request, "provisioners", EXPORT, _daemons(request))
    return render_page(request, "provisioners/list.html", _list(request), section="provisioners")


@signed_in
@require_safe
def table(request: HttpRequest) -> HttpResponse:
    """List them again, for the live block."""
    _require_reader(current_user(request))
    return render_fragment(request, "provisioners/list.html#live", _list(request))


@signed_in
@require_http_methods(METHODS)
def create_key(request: HttpRequest) -> HttpResponse:
    """Make a key. The answer holds its secret, and nothing else ever does."""
    homes = _homes(current_user(request), Action.CREATE)
    form = KeyForm(sent(request), homes=homes)
    if request.method == "POST" and form.is_valid():
        try:
            key, secret = provisioner_keys.create_key(
                organization=_named(homes, form.cleaned_data["organization"]),
                name=form.cleaned_data["name"],
                tags=form.cleaned_data["tags"],
                actor=actor_of(request),
                now=timezone.now(),
            )
        except (InvalidKeyName, KeyNameTaken) as error:
            form.add_error("name", str(error))
        else:
            return _show_secret(request, key, secret)
    plan = Plan(
        title="Make a provisioner key",
        sentence="With a key, a provisioner on another machine takes jobs of one organization over "
        "HTTP. The key itself is shown once, on the next page.",
        verb="Make the key",
        form="base/fields.html",
    )
    status = 422 if request.method == "POST" else 200
    context = {"form": form}
    return render_plan(
        request, plan, section="provisioners", back=_home(), context=context, status=status
    )


@signed_in
@require_http_methods(METHODS)
def revoke_key(request: HttpRequest, key_id: UUID) -> HttpResponse:
    """Revoke a key; GET shows whom that shuts out."""
    key = _find_key(current_user(request), key_id)
    if request.method == "POST":
        if provisioner_keys.revoke_key(key=key, actor=actor_of(request), now=timezone.now()):
            messages.success(request, f"{key.name} lets nobody in any more.")
        else:
            messages.info(request, f"{key.name} was revoked already: nothing changed.")
        return leave(request, _home())
    held = [daemon for daemon in _daemons(request) if daemon.key_id == key.pk]
    online = [daemon for daemon in held if daemon.status != DaemonStatus.OFFLINE]
    plan = Plan(
        title=f"Revoke {key.name}",
        sentence=f"{say_count(len(online), 'provisioner')} online came in by this key and will be "
        "shut out within seconds. What they are building fails after 30 s as lost.",
        verb="Revoke",
        lines=tuple(
            PlanLine(
                icon="plug-connected-x",
                tone="bad",
                text=f"shut out {daemon.name}",
                subject=say_count(len(daemon.jobs), "running job"),
            )
            for daemon in online
        ),
        danger=True,
    )
    return render_plan(request, plan, section="provisioners", back=_home())


def _list(request: HttpRequest) -> dict[str, Any]:
    viewer, daemons = current_user(request), _daemons(request)
    listing = list_page(request, daemons)
    keys = list_keys(organization_ids=subject_of(viewer).readable_organizations(_RESOURCE))
    revocable = {
        key.organization_id
        for key in keys
        if subject_of(viewer).can(Action.DELETE, _RESOURCE, organization_id=key.organization_id)
    }
    forgettable = _forgettable(viewer, daemons)
    return {
        "listing": listing,
        "rows": [view_daemon(daemon, forgettable) for daemon in listing.rows],
        "summary": say_daemons(daemons),
        "is_dry": all(daemon.status == DaemonStatus.OFFLINE for daemon in daemons),
        "keys": view_keys(keys, daemons, revocable),
        "may_create": subject_of(viewer).can_anywhere(Action.CREATE, _RESOURCE),
        "as_of": timezone.now(),
    }


def _forgettable(viewer: User, daemons: tuple[DaemonRow, ...]) -> set[UUID]:
    """Return the daemons whose machine the person may say is gone, as far as these rows tell."""
    subject = subject_of(viewer)
    return {
        daemon.daemon_id
        for daemon in last_of_machines(daemons)
        if subject.can(Action.DELETE, _RESOURCE, organization_id=daemon.organization_id)
    }


def _daemons(request: HttpRequest) -> tuple[DaemonRow, ...]:
    readable = subject_of(current_user(request)).readable_organizations(_RESOURCE)
    return list_daemons(now=timezone.now(), organization_ids=readable)


def _show_secret(request: HttpRequest, key: ProvisionerKey, secret: str) -> HttpResponse:
    context = {
        "key": key,
        "secret": secret,
        "tags": say_tags(key.tags),
        "command": _command(key, secret),
    }
    return render_page(request, "provisioners/secret.html", context, section="provisioners")


def _command(key: ProvisionerKey, secret: str) -> str:
    """Return what to type on the other machine; an environment variable is not in its ps."""
    tags = "".join(f" --tag {shlex.quote(f'{name}={value}')}" for name, value in key.tags.items())
    return (
        f"PREBUILDS_PROVISIONER_KEY={secret} python manage.py provisioner "
        f"--url {settings.PREBUILDS_ACCESS_URL}{tags}"
    )


def _homes(viewer: User, action: Action) -> list[Organization]:
    """Return the organizations whose keys the person may change so."""
    _require_reader(viewer)
    subject = subject_of(viewer)
    homes = [
        home
        for home in Organization.objects.order_by("name")
        if subject.can(action, _RESOURCE, organization_id=home.pk)
    ]
    if not homes:
        raise PermissionDenied
    return homes


def _named(homes: list[Organization], wanted: str) -> Organization:
    return next(home for home in homes if str(home.pk) == wanted)


def _find_key(viewer: User, key_id: UUID) -> ProvisionerKey:
    _require_reader(viewer)
    readable = subject_of(viewer).readable_organizations(_RESOURCE)
    keys = {key.pk: key for key in list_keys(organization_ids=readable)}
    if key_id not in keys:
        raise Http404("no such key, or not for you")
    key = keys[key_id]
    if not subject_of(viewer).can(Action.DELETE, _RESOURCE, organization_id=key.organization_id):
        raise PermissionDenied
    return key


def _require_reader(viewer: User) -> None:
    if not subject_of(viewer).can_anywhere(Action.READ, _RESOURCE):
        raise Http404("not for you")


def _home() -> str:
    return reverse("dashboard:provisioners")
