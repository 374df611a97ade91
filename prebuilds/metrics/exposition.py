"""Make the text Prometheus reads, and keep it for a few seconds.

An installation that is quick to read is read anew; a large one is served what was read last, at
most STALE_AFTER old, while a thread reads it again. `metrics_last_updated` says how old it is.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import connections

from prebuilds.metrics import gauges
from prebuilds.metrics.text_format import Labels, write_histogram, write_labels, write_metric
from prebuilds.metrics.totals import Key, Total, read_totals
from templates_app.models import Preset, Template

FRESH_FOR: Final = timedelta(seconds=5)
STALE_AFTER: Final = timedelta(seconds=60)
QUICK: Final = timedelta(milliseconds=200)
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
POOL_LABELS: Final = ("template_name", "preset_name", "organization_name")

Clock = Callable[[], datetime]
Names = tuple[str, str, str]
"""Of template, preset and organization."""
Name = tuple[str, str, str, str]
"""The same with the kind of a series."""


class Exposition:
    """The metrics of this process's view of the database; one per process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._text = ""
        self._read_at: datetime | None = None
        self._took = timedelta()

    def text(self) -> str:
        """Return the metrics, at most STALE_AFTER old."""
        age = self._age()
        if age is None or age > STALE_AFTER:
            with self._lock:
                if (later := self._age()) is None or later > FRESH_FOR:
                    self._read()
        elif age > FRESH_FOR:
            self._refresh()
        return self._text

    def _refresh(self) -> None:
        """Read anew: now if that is quick, else in a thread; never twice at once."""
        if not self._lock.acquire(blocking=False):
            return
        if self._took <= QUICK:
            try:
                self._read()
            finally:
                self._lock.release()
        else:
            threading.Thread(target=self._read_aside, name="metrics", daemon=True).start()

    def _read_aside(self) -> None:
        try:
            self._read()
        finally:
            self._lock.release()
            connections.close_all()

    def _read(self) -> None:
        started = self._clock()
        self._text = render(now=started)
        self._took = self._clock() - started
        self._read_at = started

    def _age(self) -> timedelta | None:
        """Return how old the text is; None without one, or when the clock went back since."""
        age = self._clock() - self._read_at if self._read_at else None
        return None if age is None or age < timedelta() else age


def render(*, now: datetime) -> str:
    """Return all metrics of this instant as text; a constant number of statements."""
    pools, system = gauges.read_pools(now=now), gauges.read_system(now=now)
    labels = {pool.labels: write_labels(_named(pool.labels)) for pool in pools}
    lines = [
        *_pool_lines(pools, labels),
        *_total_lines(read_totals(now=now), labels),
        *_cycle_lines(system, now),
        *_work_lines(system),
    ]
    return "\n".join(lines) + "\n"


def _pool_lines(pools: Sequence[gauges.PoolGauges], labels: Mapping[Names, str]) -> Iterator[str]:
    for name, help_text in (
        ("desired", "Prebuilds the pool wants now."),
        ("running", "Prebuilds that run, expired ones too."),
        ("eligible", "Prebuilds that could be claimed now."),
        ("starting", "Prebuilds being built."),
        ("stopping", "Prebuilds being stopped."),
        ("deleting", "Prebuilds being deleted."),
        ("expired", "Prebuilds that run and have expired."),
    ):
        rows = [(labels[pool.labels], getattr(pool, name)) for pool in pools]
        yield from write_metric(f"prebuilt_workspaces_{name}", "gauge", help_text, rows)
    for name, help_text in (
        ("hard_limited", "1 while the pool is stopped after repeated failures."),
        ("validation_failed", "1 while the preset's values do not validate."),
        ("backing_off", "1 while the pool waits after a failure."),
    ):
        true = [(labels[pool.labels], 1) for pool in pools if getattr(pool, name)]
        full = name if name == "backing_off" else f"preset_{name}"
        yield from write_metric(f"prebuilt_workspaces_{full}", "gauge", help_text, true)
    held = [
        (write_labels((*_named(pool.labels), ("reason", reason))), count)
        for pool in pools
        for reason, count in pool.held.items()
    ]
    yield from write_metric(
        "prebuilt_workspaces_held", "gauge", "Missing prebuilds that are held back.", held
    )


def _total_lines(totals: Mapping[Key, Total], labels: Mapping[Names, str]) -> Iterator[str]:
    """Write counters and histograms, added up by name over versions and re-created templates.

    `labels` are those of every pool there is: each has its counters, from 0.
    """
    series, pools = _by_name(totals), sorted(labels.items())
    for metric, name, help_text in (
        ("created", "created_total", "Prebuilds whose first build was asked for."),
        ("failed", "failed_total", "Prebuilds whose first build failed."),
        ("replaced", "resource_replacements_total", "Claims that had to make resources anew."),
    ):
        found = series[metric]
        rows = [
            (written, total.count if (total := found.get((*names, ""))) else 0)
            for names, written in pools
        ]
        yield from write_metric(f"prebuilt_workspaces_{name}", "counter", help_text, rows)
    yield from _claim_lines(series["claims"], pools)
    yield from write_histogram(
        "prebuilt_workspace_claim_duration_seconds",
        "From a claim until its build has succeeded.",
        "claim_seconds",
        [(_named(key), total) for key, total in series["claim_seconds"].items()],
    )
    yield from write_histogram(
        "workspace_creation_duration_seconds",
        "From asking for a workspace until its first build has succeeded.",
        "creation_seconds",
        [
            ((*_named(key), ("type", key[3])), total)
            for key, total in series["creation_seconds"].items()
        ],
    )
    yield from write_histogram(
        "prebuilds_reconciliation_duration_seconds",
        "How long a cycle took.",
        "cycle_seconds",
        [((), total) for total in series["cycle_seconds"].values()] or [((), Total())],
    )


def _claim_lines(found: Mapping[Name, Total], pools: Sequence[tuple[Names, str]]) -> Iterator[str]:
    warm: dict[Names, int] = defaultdict(int)
    every = []
    for key, total in sorted(found.items()):
        outcome, _, reason = key[3].partition(" ")
        labels = (*_named(key), ("outcome", outcome), ("reason", reason))
        every.append((write_labels(labels), total.count))
        if outcome == "warm":
            warm[key[:3]] += total.count
    rows = [(written, warm.get(names, 0)) for names, written in pools]
    yield from write_metric(
        "prebuilt_workspaces_claimed_total", "counter", "Prebuilds handed over.", rows
    )
    yield from write_metric(
        "prebuilt_workspaces_claims_total", "counter", "Requests for a workspace.", every
    )


def _by_name(totals: Mapping[Key, Total]) -> dict[str, dict[Name, Total]]:
    """Add up series whose template, preset and organization have the same names."""
    templates = {
        row.pk: (row.name, row.organization.name)
        for row in Template.objects.select_related("organization")
    }
    presets = dict(
        Preset.objects.filter(pk__in={key[2] for key in totals if key[2]}).values_list("pk", "name")
    )
    found: dict[str, dict[Name, Total]] = defaultdict(dict)
    for (metric, template_id, preset_id, kind), total in totals.items():
        name = (*_names(template_id, preset_id, templates, presets), kind)
        found[metric].setdefault(name, Total()).add(total.count, total.total, total.buckets)
    return found


def _names(
    template_id: UUID | None,
    preset_id: UUID | None,
    templates: Mapping[UUID, tuple[str, str]],
    presets: Mapping[UUID, str],
) -> tuple[str, str, str]:
    if template_id is None:
        return ("", "", "")
    template, organization = templates.get(template_id, ("", ""))
    return (template, presets.get(preset_id, "") if preset_id else "", organization)


def _cycle_lines(system: gauges.SystemGauges, now: datetime) -> Iterator[str]:
    cycle = system.seconds_since_last_cycle
    for name, help_text, values in (
        (
            "prebuilt_workspaces_metrics_last_updated",
            "When these numbers were read, in seconds since 1970.",
            [now.timestamp()],
        ),
        (
            "prebuilt_workspaces_reconciliation_paused",
            "1 while people have paused reconciliation.",
            [int(system.paused)],
        ),
        (
            "prebuilds_seconds_since_last_cycle",
            "Time since a cycle was completed; none before the first.",
            [cycle] if cycle is not None else [],
        ),
    ):
        yield from write_metric(name, "gauge", help_text, [("", value) for value in values])


def _work_lines(system: gauges.SystemGauges) -> Iterator[str]:
    mails = [system.mails] if system.mails else []
    for name, help_text, rows in (
        (
            "prebuilds_job_queue_depth",
            "Provisioner jobs that wait.",
            _by("initiator", system.queue_depth),
        ),
        (
            "prebuilds_job_queue_oldest_seconds",
            "How long the oldest one waits.",
            _by("initiator", system.queue_oldest_seconds),
        ),
        (
            "prebuilds_provisioners_online",
            "Provisioner daemons seen lately.",
            [("", system.provisioners_online)],
        ),
        (
            "prebuilds_lifecycle_overdue_seconds",
            "How late the first autostop or autostart is that has not come.",
            _by("transition", system.lifecycle_overdue_seconds),
        ),
        (
            "prebuilds_mails_waiting",
            "Mails that wait; none where no mail server is set.",
            [("", one.waiting) for one in mails],
        ),
        (
            "prebuilds_mail_oldest_seconds",
            "How long the oldest mail waits; none where no mail server is set.",
            [("", one.oldest_seconds) for one in mails],
        ),
    ):
        yield from write_metric(name, "gauge", help_text, rows)


def _by(label: str, values: Mapping[str, float]) -> list[tuple[str, float]]:
    return [(write_labels(((label, word),)), value) for word, value in values.items()]


def _named(names: tuple[str, ...]) -> Labels:
    return tuple(zip(POOL_LABELS, names[:3], strict=True))
