"""Makes the folders that a start needs, or says in one sentence which of them cannot be used.

Called by the commands that write, before anything else is done.
"""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from engine.errors import SettingsError
from engine.settings import Settings

_BELOW_USER = ("workflows", "userdata", "journals", "versions", "cache")


def prepare_folders(settings: Settings) -> list[str]:
    """Make what is missing, and try to write into each.

    Returns:
        sentences on folders that cannot be written, though a start is possible.

    Raises:
        SettingsError: a folder cannot be made or written; the message names it and its flag.
    """
    _prepare(settings.user_directory, "--user-directory", mode=0o700)
    for name in _BELOW_USER:
        path = settings.user_directory / name
        if os.path.lexists(path) and not os.path.isdir(path):  # noqa: PTH112 - never raises
            raise SettingsError(f"{path}: a folder should be there; move or rename that file")
    _prepare(settings.output_directory, "--output-directory")
    _prepare(settings.temp_directory, "--temp-directory")
    try:
        _prepare(settings.input_directory, "--input-directory")
    except _ReadOnlyError as error:
        return [f"{error}; nothing can be uploaded"]
    return []


class _ReadOnlyError(SettingsError):
    """A folder that exists but cannot be written."""


def _prepare(folder: Path, flag: str, *, mode: int = 0o777) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=mode, exist_ok=True)
    except FileExistsError as error:
        raise SettingsError(
            f"{flag} {folder}: a file is in the way, not a folder; choose another"
        ) from error
    except (OSError, ValueError) as error:
        raise SettingsError(f"{flag} {folder}: cannot be made: {_reason(error)}") from error
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        # Where only space is lacking, existing files can still be viewed.
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise _ReadOnlyError(f"{flag} {folder}: cannot be written: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
