"""Would people get in: settings, static files, and the address they are told."""

import json
import socket
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage, staticfiles_storage
from django.core.checks import CheckMessage, run_checks
from django.core.checks.messages import ERROR, WARNING

from prebuilds.checkup.findings import Finding, Visit, bad, skipped, warn, well

ANSWER_SECONDS: Final = 3.0
OF_ONE_MACHINE: Final = {"127.0.0.1", "localhost", "::1"}
SEE_DJANGO: Final = "see Django's documentation of its system checks"
COLLECT: Final = "`manage.py collectstatic --noinput`, then restart the web processes"


def check_settings(visit: Visit) -> Iterator[Finding]:
    """Ask Django's own checks, those for deployments included: keys, cookies, HTTPS."""
    if settings.DEBUG:
        advice = "outside your own machine unset PREBUILDS_DEBUG"
        yield warn("debug is on: tracebacks in the browser, plain HTTP", advice)
        yield from judge_messages(run_checks())
        return
    yield from judge_messages(run_checks(include_deployment_checks=True))


def judge_messages(messages: Collection[CheckMessage]) -> Iterator[Finding]:
    """Turn Django's messages into ours; what is silenced stays silent."""
    loud = [one for one in messages if one.level >= WARNING and not one.is_silenced()]
    for one in loud:
        fact, _, rest = _one_line(one.msg).partition(". ")
        text, advice = f"{one.id}: {fact}", _one_line(one.hint or rest) or SEE_DJANGO
        yield bad(text, advice) if one.level >= ERROR else warn(text, advice)
    if not loud:
        yield well("Django's checks find nothing")


def check_static_files(visit: Visit) -> Iterator[Finding]:
    """Every file of the sources is among the collected ones."""
    if not isinstance(staticfiles_storage, ManifestStaticFilesStorage):
        yield skipped("served from the sources, not collected")
        return
    sources = [name for finder in get_finders() for name, _ in finder.list(["CVS", ".*", "*~"])]
    yield judge_static_files(sources, staticfiles_storage.hashed_files, Path(settings.STATIC_ROOT))


def judge_static_files(sources: Collection[str], collected: Collection[str], root: Path) -> Finding:
    """The manifest knows which files were collected."""
    if not collected:
        return bad(f"none are collected in {root}", COLLECT)
    if missing := sorted(set(sources) - set(collected)):
        return bad(f"{len(missing)} are not collected, such as {missing[0]}", COLLECT)
    return well(f"{len(collected)} are collected")


def check_address(visit: Visit) -> Iterator[Finding]:
    """The address people and agents are told: one of this house, encrypted, and it is us there."""
    address = settings.PREBUILDS_ACCESS_URL
    yield from judge_address(address, debug=settings.DEBUG)
    yield probe(f"{address.rstrip('/')}/readyz", address)


def judge_address(address: str, *, debug: bool) -> Iterator[Finding]:
    """Plain HTTP and loopback are for one machine."""
    parts, advice = urlsplit(address), "set PREBUILDS_ACCESS_URL to the address people use"
    if debug:
        return
    if parts.hostname in OF_ONE_MACHINE:
        yield warn(f"{address} is for this machine alone", advice)
    if parts.scheme != "https":
        yield warn(f"{address} is not https", f"{advice}, beginning with https://")


def probe(url: str, address: str) -> Finding:
    """Ask whoever answers there; from inside it may look different than from outside."""
    advice = "check name, proxy and certificate, from where people and workspaces are, too"
    try:
        with urlopen(url, timeout=ANSWER_SECONDS) as answer:  # noqa: S310  a setting of ours
            return judge_answer(answer.status, answer.read(10_000), address)
    except HTTPError as error:
        return judge_answer(error.code, error.read(10_000), address)
    except (URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        words = "no answer in time" if isinstance(reason, socket.timeout) else _one_line(reason)
        return warn(f"{address} does not answer: {words}", advice)


def judge_answer(status: int, body: bytes, address: str) -> Finding:
    """Only a web process of ours answers like that."""
    try:
        answer = json.loads(body)
        is_ours = isinstance(answer, dict) and {"process", "migrations"} <= answer.keys()
    except ValueError:
        is_ours = False
    if not is_ours:
        advice = "something else answers there: check the proxy and PREBUILDS_ALLOWED_HOSTS"
        return warn(f"{address} answers {status}, and not as we would", advice)
    if status != 200:
        return warn(f"{address} answers, and is not ready", f"see {address}/readyz")
    return well(f"{address} answers and is ready")


def _one_line(text: Any) -> str:
    return " ".join(str(text).split())
