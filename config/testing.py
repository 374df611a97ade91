"""Settings for tests: the product's, with a known key, a fast hasher and plain static files.

Each run has a data directory, and so an embedded server, of its own: two runs in one checkout do
not meet, and none touches the developer's database.
"""

import os
import tempfile
from pathlib import Path

THROWAWAY_DATA_DIR = Path(tempfile.gettempdir()) / f"prebuilds-tests-{os.getpid()}"
# Workers of one run inherit the directory of the process that started them.
os.environ.setdefault("PREBUILDS_DATA_DIR", str(THROWAWAY_DATA_DIR))
os.environ.setdefault("PREBUILDS_SECRET_KEY", "for-tests-only-" + "x" * 40)

from config.settings import *  # noqa: E402, F403
from config.settings import STORAGES  # noqa: E402

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"] = {
    "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage",
}
SECURE_SSL_REDIRECT = False
SESSION_COOKIE_SECURE = False
CSRF_COOKIE_SECURE = False
SESSION_COOKIE_NAME = "sessionid"
CSRF_COOKIE_NAME = "csrftoken"
KNOWN_BROWSER_COOKIE_NAME = "known_browser"
WHITENOISE_AUTOREFRESH = True  # no collected files to look for
# The tests of one process share an address; those about rates set their own.
PREBUILDS_API_RATE = 0
PREBUILDS_FAILED_TOKEN_RATE = 0
PREBUILDS_SIGN_IN_TRIES = 0
PREBUILDS_SIGN_IN_TRIES_PER_ADDRESS = 0
