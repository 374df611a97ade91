"""Run a management command; what a person can put right becomes one line on stderr.

Exit code 2: a setting is wrong. Exit code 1: the setting reads well, but what it names fails.
"""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db.utils import OperationalError

from config import tracing
from config.env import BadSetting

SETTINGS_MODULE = "config.settings"


def use_settings() -> None:
    """Name the settings module and load it, so that a bad value ends the process here.

    For whoever imports us outside of any command.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", SETTINGS_MODULE)
    from django.conf import settings

    try:
        _ = settings.DEBUG  # reading one loads the module
    except BadSetting as error:
        complain(error)
        sys.exit(2)


def serve() -> None:
    """Prepare a web process: its settings, and where its spans go."""
    use_settings()
    try:
        tracing.start("web")
    except BadSetting as error:
        complain(error)
        sys.exit(2)


def run(argv: list[str]) -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", SETTINGS_MODULE)
    if "--traceback" in argv:
        tracing.start_for_command(argv)
        execute_from_command_line(argv)
        return 0
    try:
        tracing.start_for_command(argv)
        execute_from_command_line(argv)
    except (BadSetting, ImproperlyConfigured) as error:
        complain(error)
        return 2
    except OperationalError as error:
        complain(describe(error))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def complain(problem: object) -> None:
    print(f"error: {problem}", file=sys.stderr)


def describe(error: OperationalError) -> str:
    """Say in one line what the database refused; a failed connection names DATABASE_URL."""
    from django.conf import settings

    text = " ".join(str(error).split())
    given = settings.DATABASES["default"]
    if password := given.get("PASSWORD"):
        text = text.replace(password, "***")
    if given["ENGINE"] == "config.embedded_postgres" or getattr(error.__cause__, "sqlstate", None):
        return text
    return f"cannot use the database in DATABASE_URL ({given['NAME']}): {text}"
