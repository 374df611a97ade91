"""Tables of the pools: settings, cycles and decisions, claims, notices and mails, history."""

from prebuilds.models.claims import Claim, ClaimOutcome, ClaimReason
from prebuilds.models.history import PoolHour, hour_of
from prebuilds.models.mail import Mail, MailPreference, MailStep
from prebuilds.models.metrics import MetricMark, MetricTotal
from prebuilds.models.notices import Notice, NoticeKind
from prebuilds.models.runs import ReconcileDecision, ReconcileRun, Trigger
from prebuilds.models.settings import PrebuildsSettings

__all__ = [
    "Claim",
    "ClaimOutcome",
    "ClaimReason",
    "Mail",
    "MailPreference",
    "MailStep",
    "MetricMark",
    "MetricTotal",
    "Notice",
    "NoticeKind",
    "PoolHour",
    "PrebuildsSettings",
    "ReconcileDecision",
    "ReconcileRun",
    "Trigger",
    "hour_of",
]
