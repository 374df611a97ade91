"""Turn the settings of the environment into the core's policy."""

from django.conf import settings

from prebuilds.core.policy import Policy


def current_policy() -> Policy:
    """Return the policy this process was configured with (semantics.md 22)."""
    return Policy(
        backoff_interval=settings.PREBUILDS_BACKOFF_INTERVAL,
        backoff_lookback=settings.PREBUILDS_BACKOFF_LOOKBACK,
        failure_hard_limit=settings.PREBUILDS_FAILURE_HARD_LIMIT,
        max_in_flight=settings.PREBUILDS_MAX_IN_FLIGHT,
        ready_timeout=settings.PREBUILDS_READY_TIMEOUT,
        failed_retention=settings.PREBUILDS_FAILED_RETENTION,
    )
