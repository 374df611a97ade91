"""Settings for tests: the product's, with a known key, a fast hasher and plain static files."""

import os

os.environ.setdefault("PREBUILDS_SECRET_KEY", "for-tests-only-" + "x" * 40)

from config.settings import *  # noqa: F403
from config.settings import STORAGES

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"] = {
    "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage",
}
SECURE_SSL_REDIRECT = False
SESSION_COOKIE_SECURE = False
CSRF_COOKIE_SECURE = False
