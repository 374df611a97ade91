"""Find the key that signs sessions and queue payloads: given, or made once for one machine."""

import os
import secrets
from pathlib import Path

from config.env import BadSetting

MAKE_ONE = "python3 -c 'import secrets; print(secrets.token_urlsafe(50))'"


def find_secret_key(given: str, debug: bool, data_dir: Path) -> str:
    """Return the given key; in debug one kept in the data directory, so that sessions survive."""
    if given:
        if len(given) < 32 and not debug:
            raise BadSetting(f"PREBUILDS_SECRET_KEY is too short; make one with: {MAKE_ONE}")
        return given
    if not debug:
        raise BadSetting(
            "PREBUILDS_SECRET_KEY is not set; on your own machine set PREBUILDS_DEBUG=1,"
            f" elsewhere set the key to the output of: {MAKE_ONE}"
        )
    return _kept_key(data_dir / "secret_key")


def _kept_key(path: Path) -> str:
    """Read the key file, or make it. Two first starts at once agree: a link never replaces."""
    try:
        if key := path.read_text().strip():
            return key
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadSetting(
            f"cannot read {path}: {error.strerror}; check PREBUILDS_DATA_DIR"
        ) from None
    return _make_key(path)


def _make_key(path: Path) -> str:
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(50))
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text().strip()
