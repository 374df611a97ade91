"""Run a provisioner daemon: beside the database, or anywhere, with a key, over HTTP."""

import argparse
import os
import re
import signal
import socket
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from templates_app.enums import ProvisionerType
from workspaces import listening
from workspaces.protocol import DaemonProfile, Driver
from workspaces.provisioner.daemon import Daemon, DaemonOptions, WakeUp
from workspaces.provisioner.drivers.local import LocalDriver
from workspaces.provisioner.http_transport import HttpTransport, RequestRefused
from workspaces.provisioner.transport import (
    KeyRefused,
    ServiceTransport,
    Transport,
)

VERSION = "0.1.0"
LONG_POLL: Final = (20.0, 28.0)
"""Seconds a far queue is asked to wait for a job; it refuses more than 30."""


class Bells:
    """The database's bell for new jobs, as a daemon's WakeUp."""

    def __init__(self, subscription: listening.Subscription) -> None:
        self._subscription = subscription

    def wait(self, timeout: float) -> bool:
        return self._subscription.wait(timeout) is not None


class Silence:
    """No bell: the far queue's long poll is the only one there is."""

    def __init__(self) -> None:
        self._never = threading.Event()

    def wait(self, timeout: float) -> bool:
        return self._never.wait(timeout)


class Command(BaseCommand):
    """Take provisioner jobs and build workspaces until stopped."""

    help = (
        "Take provisioner jobs and build workspaces as processes on this machine. SIGTERM or "
        "Ctrl-C: finish what runs within the grace, give back the rest; twice: give back at once. "
        "With --url it needs no database: it asks a server over HTTP and shows it a key."
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
            help="take only jobs whose tags are among these (with a key: some of the key's)",
        )
        parser.add_argument("--url", type=address, help="the server's address; else the database")
        keys = parser.add_mutually_exclusive_group()
        keys.add_argument("--key-file", type=Path, metavar="FILE", help="file with the key")
        keys.add_argument(
            "--key",
            help="the key; others on this machine can see it, so prefer --key-file "
            "or PREBUILDS_PROVISIONER_KEY",
        )
        parser.add_argument(
            "--grace", type=seconds, default=20.0, help="seconds running jobs may take to finish"
        )
        parser.add_argument("--once", action="store_true", help="end when no job is left")

    def handle(self, *args: Any, **options: Any) -> None:
        behaviour = DaemonOptions(grace=options["grace"], once=options["once"])
        if options["url"]:
            transport = HttpTransport(url=options["url"], key=find_key(options))
            serve(options, transport, Silence(), replace(behaviour, poll=LONG_POLL))
            return
        if options["key"] or options["key_file"]:
            raise CommandError("A key is for a server: name it with --url.", returncode=2)
        near = ServiceTransport(access_url=settings.PREBUILDS_ACCESS_URL, clock=timezone.now)
        with listening.hub().subscribe(listening.PROVISIONER_JOBS) as subscription:
            serve(options, near, Bells(subscription), behaviour)


def serve(
    options: dict[str, Any], transport: Transport, wake_up: WakeUp, behaviour: DaemonOptions
) -> None:
    """Put a daemon together and run it until a signal stops it."""
    driver = LocalDriver(settings.PREBUILDS_WORKSPACES_DIR)
    daemon = Daemon(
        profile=DaemonProfile(
            name=options["name"],
            hostname=socket.gethostname(),
            version=VERSION,
            provisioner_types=[ProvisionerType.LOCAL.value],
            tags=dict(options["tag"]),
            concurrency=options["concurrency"],
            machine=_machine_of(driver),
        ),
        transport=transport,
        driver=driver,
        wake_up=wake_up,
        clock=timezone.now,
        options=behaviour,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: daemon.stop())
    try:
        daemon.run()
    except (KeyRefused, RequestRefused) as error:
        raise CommandError(f"The server does not take this daemon: {error}") from error


def _machine_of(driver: Driver) -> str:
    try:
        return driver.find_machine()
    except OSError as error:
        raise CommandError(f"Cannot tell which machine this is: {error}") from error


def find_key(options: dict[str, Any]) -> str:
    """Return the key from option, file or setting, never saying what it is."""
    key = options["key"] or settings.PREBUILDS_PROVISIONER_KEY
    if file := options["key_file"]:
        try:
            key = file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"Cannot read the key from {file}: {error}") from error
    if not key:
        raise CommandError(
            "--url needs a key: use --key-file FILE, or set PREBUILDS_PROVISIONER_KEY. "
            "`manage.py provisioner_keys create` on the server makes one.",
            returncode=2,
        )
    if not re.fullmatch(r"[!-~]+", key):
        raise CommandError("The key holds spaces or other characters no key has.", returncode=2)
    return str(key)


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


def address(text: str) -> str:
    problem = f"{text!r} is not an address such as https://prebuilds.example.com"
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise argparse.ArgumentTypeError(problem) from error
    if not usable or parts.query or parts.fragment or parts.username:
        raise argparse.ArgumentTypeError(problem)
    return text.rstrip("/")
