"""Make, list and revoke the keys that remote provisioner daemons authenticate with.

Exit codes: 0 done, or nothing to change (said so); 1 what was named does not exist; 2 bad usage.
"""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.audit import AT_THE_SHELL
from accounts.models import Organization
from workspaces import selectors
from workspaces.errors import InvalidKeyName, KeyNameTaken
from workspaces.management.commands.provisioner import tag
from workspaces.models import ProvisionerKey
from workspaces.services import provisioner_keys


class Command(BaseCommand):
    """manage.py provisioner_keys."""

    help = "Make, list or revoke the keys of provisioner daemons on other machines."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="make a key and print it; it is shown only now")
        create.add_argument("name", type=_some_text)
        create.add_argument(
            "--tag",
            nargs="+",
            action="extend",
            default=[],
            type=tag,
            metavar="KEY=VALUE",
            help="its daemons take only jobs whose tags are among these",
        )
        listing = verbs.add_parser("list", help="show the live keys, never their secrets")
        revoke = verbs.add_parser("revoke", help="let nobody in by a key any more")
        revoke.add_argument("name", type=_some_text)
        for verb in (create, listing, revoke):
            verb.add_argument(
                "--organization", metavar="NAME", help="default: the default organization"
            )

    def handle(self, *args: Any, **options: Any) -> None:
        verbs = {"create": self._create, "list": self._list, "revoke": self._revoke}
        verbs[options["verb"]](options)

    def _create(self, options: dict[str, Any]) -> None:
        try:
            _, secret = provisioner_keys.create_key(
                organization=_organization(options["organization"]),
                name=options["name"],
                tags=dict(options["tag"]),
                actor=AT_THE_SHELL,
                now=timezone.now(),
            )
        except (InvalidKeyName, KeyNameTaken) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(secret)

    def _list(self, options: dict[str, Any]) -> None:
        name = options["organization"]
        keys = selectors.list_keys(organization_ids=[_organization(name).pk] if name else None)
        for key in keys:
            tags = " ".join(f"{name}={value}" for name, value in sorted(key.tags.items()))
            made = f"{key.created_at:%Y-%m-%d}"
            self.stdout.write(f"{key.organization.name} / {key.name}: {tags or 'no tags'}, {made}")
        if not keys:
            self.stdout.write("There are no keys.")

    def _revoke(self, options: dict[str, Any]) -> None:
        key = _live_key(_organization(options["organization"]), options["name"])
        provisioner_keys.revoke_key(key=key, actor=AT_THE_SHELL, now=timezone.now())
        self.stdout.write(f"{key}: revoked. Its daemons end; what they hold is lost in 30 s.")


def _organization(name: str | None) -> Organization:
    chosen = {"name__iexact": name} if name else {"is_default": True}
    organization = Organization.objects.filter(**chosen).first()
    if organization is None:
        raise CommandError(f'There is no organization "{name or "(default)"}".')
    return organization


def _live_key(organization: Organization, name: str) -> ProvisionerKey:
    for key in selectors.list_keys(organization_ids=[organization.pk]):
        if key.name.lower() == name.lower():
            return key
    raise CommandError(f'"{organization.name}" has no live key "{name}"; `list` shows them.')


def _some_text(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("name the key")
    return text.strip()
