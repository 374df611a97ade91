"""manage.py create_token: an API token for a person, printed once."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.audit import AT_THE_SHELL
from accounts.enums import TokenScope
from accounts.models import User
from accounts.services import tokens


class Command(BaseCommand):
    """manage.py create_token."""

    help = "Make an API token for a person and print it. It is shown only now."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("username")
        parser.add_argument("--name", default="command line", help="What the token is for.")
        parser.add_argument(
            "--scope", choices=TokenScope.values, default=TokenScope.USE, help="What it may do."
        )
        parser.add_argument("--days", type=_days, default=30, help="Days until it expires.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make the token, replacing one of the same name."""
        user = User.objects.filter(username__iexact=options["username"], is_active=True).first()
        if user is None:
            raise CommandError(
                f"There is nobody named {options['username']} who may sign in.", returncode=1
            )
        now = timezone.now()
        _, secret = tokens.replace_token(
            user=user,
            name=options["name"],
            scope=TokenScope(options["scope"]),
            expires_at=now + timedelta(days=options["days"]),
            actor=AT_THE_SHELL,
            now=now,
        )
        self.stdout.write(secret)


def _days(text: str) -> int:
    days = int(text)
    if not 1 <= days <= 3650:
        raise ValueError(text)
    return days
