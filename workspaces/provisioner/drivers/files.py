"""A template's files into a workspace, and a workspace's directory out of the way.

The files come from people and the directory was open to other programs, so no path is trusted.
"""

import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from workspaces.protocol import BuildFailed

BAD_PATH = "driver_error"


def write_source_files(directory: Path, files: Mapping[str, str]) -> None:
    """Write the files below the directory; a script (#!) may be executed.

    No process of the workspace may run meanwhile. Raises BuildFailed naming the path that would
    leave the directory, or that cannot be written.
    """
    for name, content in files.items():
        parts = _checked_parts(name)
        try:
            _write(_make_parents(directory, parts, name), parts[-1], content)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise BuildFailed(
                f"The template's file {name!r} cannot be written: {reason}", code=BAD_PATH
            ) from error


def _checked_parts(name: str) -> tuple[str, ...]:
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or ".." in path.parts or "\0" in name:
        raise BuildFailed(
            f"The template's file {name!r} would leave the workspace: use a path relative to it",
            code=BAD_PATH,
        )
    return path.parts


def _make_parents(directory: Path, parts: tuple[str, ...], name: str) -> Path:
    folder = directory
    for part in parts[:-1]:
        folder /= part
        if folder.is_symlink():
            raise BuildFailed(
                f"The template's file {name!r} would leave the workspace: "
                f"{folder.relative_to(directory)} is a symbolic link",
                code=BAD_PATH,
            )
        folder.mkdir(exist_ok=True)
    return folder


def _write(folder: Path, name: str, content: str) -> None:
    """Replace the file whole, so that neither a link nor a read-only file is written through."""
    draft = folder / f".{name[:200]}.new"
    draft.unlink(missing_ok=True)
    draft.write_text(content, encoding="utf-8")
    draft.chmod(0o755 if content.startswith("#!") else 0o644)
    draft.replace(folder / name)


def remove_directory(directory: Path) -> None:
    """Remove a directory and all below it, read-only parts too. Nothing there is fine."""
    if not directory.is_dir():
        return
    directory.chmod(stat.S_IRWXU)
    for folder, names, _ in os.walk(directory):
        # Before `walk` goes down into them.
        for name in names:
            if not (path := Path(folder, name)).is_symlink():
                path.chmod(stat.S_IRWXU)
    shutil.rmtree(directory)
