"""What each variable is for, in the groups of docs/configuration.md. A test compares the names."""

from typing import Final

RUNNING: Final = {
    "DATABASE_URL": "The PostgreSQL server. Unset: the embedded one. The password is not shown.",
    "PREBUILDS_DEBUG": "For your own machine: plain HTTP, tracebacks in the browser.",
    "PREBUILDS_SECRET_KEY": "Signs sessions and queue payloads; in debug one is made and kept. "
    "Changing it signs everybody out.",
    "PREBUILDS_PORT": "The port the server listens on.",
    "PREBUILDS_ACCESS_URL": "How browsers and agents reach the server.",
    "PREBUILDS_ALLOWED_HOSTS": "Host names the server answers to.",
    "PREBUILDS_INSECURE_HTTP": "Outside debug: serve plain HTTP.",
    "PREBUILDS_DATA_DIR": "Database, secret key, collected static files, and the workspaces.",
    "PREBUILDS_WORKSPACES_DIR": "One directory per workspace of the local driver.",
    "PREBUILDS_DIRECT_DATABASE_URL": "The same database past a pooler, to listen on. Unset: there "
    "is no pooler. The password is not shown.",
    "PREBUILDS_DATABASE_POOL_SIZE": "Connections the web process keeps. 0: no pool.",
    "PREBUILDS_SHUTDOWN_DELAY": "How long the web server still serves after it was told to end.",
    "PREBUILDS_LOG_LEVEL": "What goes to the log.",
    "PREBUILDS_LOG_FORMAT": "console: a line for people. json: an object per line for programs.",
    "PREBUILDS_API_RATE": "Requests a minute with one token. 0: no limit.",
    "PREBUILDS_FAILED_TOKEN_RATE": "Requests a minute from one address with a token that is none.",
    "PREBUILDS_SIGN_IN_TRIES": "Wrong passwords for one name from one address before a wait.",
    "PREBUILDS_SIGN_IN_TRIES_PER_ADDRESS": "The same for all names together.",
    "PREBUILDS_SESSION_IDLE": "After how long without a person's doing a session ends.",
    "PREBUILDS_SESSION_LIFETIME": "After how long a session ends in any case.",
}
POOLS: Final = {
    "PREBUILDS_RECONCILIATION_INTERVAL": "Time between cycles when no bell rings.",
    "PREBUILDS_BACKOFF_INTERVAL": "Wait after a failed attempt, times the recent failures.",
    "PREBUILDS_BACKOFF_LOOKBACK": "How long a failed attempt counts as recent.",
    "PREBUILDS_FAILURE_HARD_LIMIT": "A preset stops when this many newest attempts all failed. "
    "Also how often a failed deletion is tried. 0: off.",
    "PREBUILDS_MAX_IN_FLIGHT": "Unfinished prebuild builds per organization. 0: no limit.",
    "PREBUILDS_READY_TIMEOUT": "A prebuild that is not ready by then is deleted and has failed.",
    "PREBUILDS_FAILED_RETENTION": "How long the newest failed prebuild of a preset is kept.",
    "PREBUILDS_HISTORY_RETENTION": "How long the hourly history of pools is kept for charts.",
    "PREBUILDS_PROVISIONER_CONCURRENCY": "Jobs one daemon does at once.",
    "PREBUILDS_PROVISIONER_KEY": "The key of a daemon on another machine; unset on a server.",
    "PREBUILDS_METRICS_NAMESPACE": "Prefix of metric names.",
    "PREBUILDS_METRICS_TOKEN": "Who sends it as a bearer token may read /metrics.",
    "PREBUILDS_METRICS_NETWORKS": "From where /metrics may be read without a token.",
}
MAIL: Final = {
    "PREBUILDS_SMTP_URL": "The mail server. Unset: nothing is sent. The password is not shown.",
    "PREBUILDS_MAIL_FROM": "Who mails come from.",
    "PREBUILDS_DIGEST_HOUR": "The hour, UTC, from which on the daily reminder goes out.",
}
GROUPS: Final = (
    ("Where and how it runs", RUNNING),
    ("How pools are kept", POOLS),
    ("Mail", MAIL),
)
