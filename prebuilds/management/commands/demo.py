"""manage.py demo: people and templates to try the product with. Safe to repeat."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from accounts.models import Membership, Organization, User
from prebuilds.management.demo import PASSWORD, PEOPLE, TEMPLATES
from prebuilds.management.demo_past import find_birthday, write_past
from prebuilds.management.demo_story import play
from templates_app.models import Template
from templates_app.services import create_template


class Command(BaseCommand):
    """manage.py demo."""

    help = "Load the demo: people, six templates with pools, a past. Safe to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "--if-empty",
            action="store_true",
            help="Do nothing, and say nothing, on a database that holds other data.",
        )
        parser.add_argument(
            "--play",
            action="store_true",
            help="Let things happen while you watch: promote, rush, shrink, expire, invalidate.",
        )
        parser.add_argument(
            "--force", action="store_true", help="Add the demo beside other data all the same."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Insert what is missing and print the logins."""
        if options["play"]:
            play(self.stdout.write, clock=timezone.now)
            return
        if _holds_other_data() and not options["force"]:
            if options["if_empty"]:
                return
            raise CommandError(
                "This database holds other people or templates. Use an empty one, "
                "or --force to add the demo beside them.",
                returncode=1,
            )
        is_first = not (_holds_other_data() or Template.objects.exists())
        _load(timezone.now(), is_first=is_first)
        self._print_logins()
        if is_first:
            self.stdout.write("What it says of the two weeks before now is invented.")

    def _print_logins(self) -> None:
        self.stdout.write(f"Demo at {settings.PREBUILDS_ACCESS_URL} (password: {PASSWORD})")
        for username, name, roles in PEOPLE:
            self.stdout.write(f"  {username:<6} {name}, {', '.join(roles) or 'member'}")


def _load(now: datetime, *, is_first: bool) -> None:
    """Insert what is missing; with a past when the demo is all there is, and new."""
    with transaction.atomic():
        organization = Organization.objects.get(is_default=True)
        people = [_ensure_person(organization, *person) for person in PEOPLE]
        for name, display_name, description, version in TEMPLATES:
            if not Template.objects.filter(organization=organization, name=name).exists():
                create_template(
                    organization=organization,
                    name=name,
                    display_name=display_name,
                    description=description,
                    created_by=people[0],
                    version=version,
                    check_presets=False,
                    now=find_birthday(name, now=now) if is_first else now,
                )
        if is_first:
            write_past(people=people, now=now)


def _holds_other_data() -> bool:
    strangers = User.objects.exclude(username__in=[username for username, _, _ in PEOPLE])
    foreign = Template.objects.exclude(name__in=[row[0] for row in TEMPLATES])
    return strangers.exists() or foreign.exists()


def _ensure_person(organization: Organization, username: str, name: str, roles: list[str]) -> User:
    user = User.objects.filter(username=username).first()
    if user is None:
        user = User.objects.create_user(
            username, PASSWORD, name=name, roles=roles, email=f"{username}@example.invalid"
        )
    Membership.objects.get_or_create(organization=organization, user=user)
    return user
