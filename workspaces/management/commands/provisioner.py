"""Run a provisioner daemon beside the database."""

import argparse
import os
import signal
import socket
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from templates_app.enums import ProvisionerType
from workspaces import listening
from workspaces.provisioner.daemon import Daemon, DaemonOptions
from workspaces.provisioner.drivers.local import LocalDriver
from workspaces.provisioner.transport import DaemonProfile, ServiceTransport

VERSION = "0.1.0"


class Bells:
    """The database's bell for new jobs, as a daemon's WakeUp."""

    def __init__(self, subscription: listening.Subscription) -> None:
        self._subscription = subscription

    def wait(self, timeout: float) -> bool:
        return self._subscription.wait(timeout) is not None


class Command(BaseCommand):
    """Take provisioner jobs and build workspaces until stopped."""

    help = (
        "Take provisioner jobs and build workspaces as processes on this machine. SIGTERM or "
        "Ctrl-C: finish what runs within the grace, give back the rest; twice: give back at once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--name", default=default_name(), help="how the list of daemons calls it"
        )
        parser.add_argument(
            "--concurrency",
            type=positive,
            default=settings.PREBUILDS_PROVISIONER_CONCURRENCY,
            metavar="N",
            help="jobs at once (default: PREBUILDS_PROVISIONER_CONCURRENCY)",
        )
        parser.add_argument(
            "--tag",
            nargs="+",
            action="extend",
            default=[],
            type=tag,
            metavar="KEY=VALUE",
            help="take only jobs whose tags are among these",
        )
        parser.add_argument(
            "--grace", type=seconds, default=20.0, help="seconds running jobs may take to finish"
        )
        parser.add_argument("--once", action="store_true", help="end when no job is left")

    def handle(self, *args: Any, **options: Any) -> None:
        with listening.hub().subscribe(listening.PROVISIONER_JOBS) as subscription:
            daemon = make_daemon(
                name=options["name"],
                concurrency=options["concurrency"],
                tags=options["tag"],
                wake_up=Bells(subscription),
                options=DaemonOptions(grace=options["grace"], once=options["once"]),
            )
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: daemon.stop())
            daemon.run()


def make_daemon(
    *,
    name: str,
    concurrency: int,
    tags: Sequence[tuple[str, str]],
    wake_up: Bells,
    options: DaemonOptions,
) -> Daemon:
    """Put a daemon together from the settings."""
    profile = DaemonProfile(
        name=name,
        hostname=socket.gethostname(),
        version=VERSION,
        provisioner_types=[ProvisionerType.LOCAL.value],
        tags=dict(tags),
        concurrency=concurrency,
    )
    return Daemon(
        profile=profile,
        transport=ServiceTransport(access_url=settings.PREBUILDS_ACCESS_URL, clock=timezone.now),
        driver=LocalDriver(settings.PREBUILDS_WORKSPACES_DIR),
        wake_up=wake_up,
        clock=timezone.now,
        options=options,
    )


def default_name() -> str:
    return f"{socket.gethostname()}-{os.getpid()}"


def positive(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 100:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 to 100")
    return number


def seconds(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 86_400:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds from 0 to 86400")
    return number


def tag(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not key or not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key, value
