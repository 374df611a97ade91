"""Everything that differs between machines, read once. docs/configuration.md lists them.

Together with config.env the only reader of the environment; a bad value refuses to start.
"""

import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from config import security
from config.database import databases
from config.env import Environment
from config.logs import FORMATS, logging_settings
from config.mail_server import TIMEOUT_SECONDS, default_sender, mail_server, sender
from config.secret_key import find_secret_key

_env = Environment(os.environ)

BASE_DIR = Path(__file__).resolve().parent.parent

# --- ours ------------------------------------------------------------------------------------
DEBUG = _env.bool("PREBUILDS_DEBUG")
PREBUILDS_PORT = _env.int("PREBUILDS_PORT", 8000, low=1, high=65535)
PREBUILDS_ACCESS_URL = _env.url("PREBUILDS_ACCESS_URL", f"http://127.0.0.1:{PREBUILDS_PORT}")
PREBUILDS_DATA_DIR = Path(_env.string("PREBUILDS_DATA_DIR", str(BASE_DIR / ".data"))).absolute()
PREBUILDS_WORKSPACES_DIR = Path(
    _env.string("PREBUILDS_WORKSPACES_DIR", str(PREBUILDS_DATA_DIR / "workspaces"))
).absolute()
PREBUILDS_PROVISIONER_CONCURRENCY = _env.int(
    "PREBUILDS_PROVISIONER_CONCURRENCY", 4, low=1, high=100
)
PREBUILDS_PROVISIONER_KEY = _env.secret("PREBUILDS_PROVISIONER_KEY")
PREBUILDS_RECONCILIATION_INTERVAL = _env.duration(
    "PREBUILDS_RECONCILIATION_INTERVAL", timedelta(seconds=60), low=timedelta(seconds=1)
)
PREBUILDS_BACKOFF_INTERVAL = _env.duration("PREBUILDS_BACKOFF_INTERVAL", timedelta(seconds=60))
PREBUILDS_BACKOFF_LOOKBACK = _env.duration("PREBUILDS_BACKOFF_LOOKBACK", timedelta(hours=1))
PREBUILDS_FAILURE_HARD_LIMIT = _env.int("PREBUILDS_FAILURE_HARD_LIMIT", 3)
PREBUILDS_MAX_IN_FLIGHT = _env.int("PREBUILDS_MAX_IN_FLIGHT", 50)
PREBUILDS_READY_TIMEOUT = _env.duration(
    "PREBUILDS_READY_TIMEOUT", timedelta(minutes=30), low=timedelta(seconds=1)
)
PREBUILDS_FAILED_RETENTION = _env.duration("PREBUILDS_FAILED_RETENTION", timedelta(hours=24))
PREBUILDS_HISTORY_RETENTION = _env.duration("PREBUILDS_HISTORY_RETENTION", timedelta(days=90))
PREBUILDS_METRICS_NAMESPACE = _env.identifier("PREBUILDS_METRICS_NAMESPACE", "coderd")
PREBUILDS_METRICS_TOKEN = _env.secret("PREBUILDS_METRICS_TOKEN")
PREBUILDS_METRICS_NETWORKS = _env.networks("PREBUILDS_METRICS_NETWORKS")
_MAIL_SERVER = mail_server("PREBUILDS_SMTP_URL", _env.mail_address("PREBUILDS_SMTP_URL"))
PREBUILDS_MAIL_FROM = sender(
    "PREBUILDS_MAIL_FROM", _env.string("PREBUILDS_MAIL_FROM", default_sender(PREBUILDS_ACCESS_URL))
)
PREBUILDS_DIGEST_HOUR = _env.int("PREBUILDS_DIGEST_HOUR", 7, high=23)
PREBUILDS_DATABASE_POOL_SIZE = _env.int("PREBUILDS_DATABASE_POOL_SIZE", 10, high=1000)
PREBUILDS_SHUTDOWN_DELAY = _env.duration(
    "PREBUILDS_SHUTDOWN_DELAY", timedelta(0), high=timedelta(minutes=10)
)
PREBUILDS_API_RATE = _env.int("PREBUILDS_API_RATE", 6000)
PREBUILDS_FAILED_TOKEN_RATE = _env.int("PREBUILDS_FAILED_TOKEN_RATE", 60)
PREBUILDS_SIGN_IN_TRIES = _env.int("PREBUILDS_SIGN_IN_TRIES", 5)
PREBUILDS_SIGN_IN_TRIES_PER_ADDRESS = _env.int("PREBUILDS_SIGN_IN_TRIES_PER_ADDRESS", 30)
PREBUILDS_SESSION_IDLE = _env.duration(
    "PREBUILDS_SESSION_IDLE", timedelta(hours=12), low=timedelta(minutes=5)
)
PREBUILDS_SESSION_LIFETIME = _env.duration(
    "PREBUILDS_SESSION_LIFETIME", timedelta(days=14), low=timedelta(minutes=5)
)
_LOG_LEVEL = _env.choice("PREBUILDS_LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"))
_LOG_STYLE = _env.choice("PREBUILDS_LOG_FORMAT", "console" if DEBUG else "json", FORMATS)

# --- Django ----------------------------------------------------------------------------------
_GIVEN_KEY = _env.secret("PREBUILDS_SECRET_KEY")
_ACCESS = urlsplit(PREBUILDS_ACCESS_URL)
ALLOWED_HOSTS = _env.list(
    "PREBUILDS_ALLOWED_HOSTS", ("127.0.0.1", "localhost", "[::1]", str(_ACCESS.hostname))
)
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
WSGI_APPLICATION = "config.wsgi.application"
AUTH_USER_MODEL = "accounts.User"
# Usernames are unique among live rows whatever their case: an index, not a field option.
# Whether the other names of a domain speak HTTPS is not ours to promise (W005, W021).
SILENCED_SYSTEM_CHECKS = ["auth.E003", "auth.W004", "security.W005", "security.W021"]
LOGIN_URL = "/sign-in/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = LOGIN_URL
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en"
USE_TZ = True
TIME_ZONE = "UTC"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_q",
    "django_htmx",
    "template_partials",
    "csp",
    "django_prometheus",
    "accounts",
    "templates_app",
    "workspaces",
    "prebuilds",
]

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "config.headers.GuardingHeaders",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.compression.CompressPages",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "config.away.AnswerWhileAway",
    "config.away.EndOldSessions",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        # One folder per page holds its view and its templates: "pools/page.html".
        "DIRS": [BASE_DIR / "prebuilds" / "dashboard", BASE_DIR / "prebuilds" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "builtins": ["prebuilds.dashboard.base.filters"],
        },
    },
]

DATABASES = databases(
    _env.database_address("DATABASE_URL"),
    PREBUILDS_DATA_DIR,
    sys.argv,
    PREBUILDS_DATABASE_POOL_SIZE,
    _env.database_address("PREBUILDS_DIRECT_DATABASE_URL"),
)

STATIC_URL = "/static/"
STATIC_ROOT = PREBUILDS_DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
_STATIC_STORAGE = (
    "django.contrib.staticfiles.storage.StaticFilesStorage"
    if DEBUG
    else "whitenoise.storage.CompressedManifestStaticFilesStorage"
)
STORAGES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": _STATIC_STORAGE},
}
WHITENOISE_USE_FINDERS = DEBUG
WHITENOISE_AUTOREFRESH = DEBUG

# --- security --------------------------------------------------------------------------------
AUTH_PASSWORD_VALIDATORS = security.AUTH_PASSWORD_VALIDATORS
CONTENT_SECURITY_POLICY = security.CONTENT_SECURITY_POLICY
_INSECURE_HTTP = _env.bool("PREBUILDS_INSECURE_HTTP")
_HTTPS = not (DEBUG or _INSECURE_HTTP)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_NAME = security.cookie_name("sessionid", https=_HTTPS)
CSRF_COOKIE_NAME = security.cookie_name("csrftoken", https=_HTTPS)
KNOWN_BROWSER_COOKIE_NAME = security.cookie_name("known_browser", https=_HTTPS)
SESSION_ENGINE = "prebuilds.dashboard.base.sessions"
SESSION_COOKIE_AGE = int(PREBUILDS_SESSION_LIFETIME.total_seconds())
CSRF_TRUSTED_ORIGINS = [f"{_ACCESS.scheme}://{_ACCESS.netloc}"]
SECURE_SSL_REDIRECT = _HTTPS
# Probes come from beside us, without TLS, and tell no secrets.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
# TLS usually ends at a proxy in front of uvicorn, which sets this header itself.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _HTTPS else None
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if _HTTPS else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# --- libraries -------------------------------------------------------------------------------
PROMETHEUS_EXPORT_MIGRATIONS = False  # it would open a connection while starting

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "prebuilds.api.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": [
        "rest_framework.permissions.IsAuthenticated",
        "prebuilds.api.permissions.TokenScopeAllows",
    ],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["prebuilds.api.base.parsers.BoundedJSONParser"],
    "DEFAULT_THROTTLE_CLASSES": ["prebuilds.api.throttling.TokenRate"],
    "EXCEPTION_HANDLER": "prebuilds.api.errors.answer_error",
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_SCHEMA_CLASS": "prebuilds.api.schema.HouseSchema",
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Prebuilds",
    "DESCRIPTION": "Pools of ready workspaces. Paths and fields are Coder's where it has them.",
    "VERSION": "2",
    "OAS_VERSION": "3.1.1",
    "SCHEMA_PATH_PREFIX": r"/api/v2",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_SPLIT_PATCH": False,  # a shape says itself what may be left out
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "SiteRoleEnum": "accounts.enums.SiteRole",
        "OrganizationRoleEnum": "accounts.enums.OrganizationRole",
        "TokenScopeEnum": "accounts.enums.TokenScope",
        "AuditSourceEnum": "accounts.enums.AuditSource",
        "UserStatusEnum": "prebuilds.api.people.UserStatus",
        "ProvisionerTypeEnum": "templates_app.enums.ProvisionerType",
        "ParameterTypeEnum": "templates_app.enums.ParameterType",
        "PrebuildStatusEnum": "templates_app.enums.PrebuildStatus",
        "TransitionEnum": "workspaces.enums.Transition",
        "BuildReasonEnum": "workspaces.enums.BuildReason",
        "JobTypeEnum": "workspaces.enums.JobType",
        "JobStatusEnum": "workspaces.enums.JobStatus",
        "JobErrorCodeEnum": "workspaces.enums.JobErrorCode",
        "DaemonStatusEnum": "workspaces.enums.DaemonStatus",
        "WorkspaceStatusEnum": "workspaces.enums.WorkspaceStatus",
        "LifecycleStateEnum": "workspaces.enums.LifecycleState",
        "ReasonEnum": "prebuilds.api.prebuilds_state.REASONS",
        "ProbeStatusEnum": "prebuilds.api.health.STATUSES",
        "HealthWordEnum": "prebuilds.api.prebuilds_state.HEALTHS",
    },
}

PREBUILDS_SENDS_MAIL = bool(_MAIL_SERVER.host)
EMAIL_BACKEND = _MAIL_SERVER.backend
EMAIL_HOST = _MAIL_SERVER.host
EMAIL_PORT = _MAIL_SERVER.port
EMAIL_HOST_USER = _MAIL_SERVER.user
EMAIL_HOST_PASSWORD = _MAIL_SERVER.password
EMAIL_USE_TLS = _MAIL_SERVER.starttls
EMAIL_USE_SSL = _MAIL_SERVER.tls
EMAIL_TIMEOUT = TIMEOUT_SECONDS
DEFAULT_FROM_EMAIL = SERVER_EMAIL = PREBUILDS_MAIL_FROM

Q_CLUSTER = {
    "name": "prebuilds",  # also the signing salt: never rename with tasks queued
    "orm": "default",
    "workers": 2,  # tick + housekeeping
    "queue_limit": 1,  # the retry clock starts when a task is prefetched
    "bulk": 1,
    "timeout": 50,  # shorter than one interval, integer
    "retry": 300,  # > 50 * (1 + ceil((1+1)/2)) = 100, with slack
    "max_attempts": 1,
    "ack_failures": True,  # the next tick is the retry
    "catch_up": False,
    "poll": 1.0,
    "save_limit": 50,
    "recycle": 500,  # give memory back
    "max_rss": 300_000,  # kB per worker, checked only between tasks
    "guard_cycle": 0.5,  # do not touch
}

LOGGING = logging_settings(level=_LOG_LEVEL, style=_LOG_STYLE)

_env.refuse_unknown()
CONFIGURATION = _env.readings()
SECRET_KEY = find_secret_key(_GIVEN_KEY, DEBUG, PREBUILDS_DATA_DIR)
