"""The data folder: embedded engines, secrets, e-mail files."""

from __future__ import annotations

import stat
from pathlib import Path

from core.errors import StartupError


def data_folder(path: Path) -> Path:
    """The folder as an absolute path, made when missing. Raises StartupError unless files can be written there.

    One that is made is its owner's alone: buyers' e-mails and the stores' files are in it.
    """
    folder = path.expanduser().absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.write_bytes(b"")
        probe.unlink(missing_ok=True)  # another process may have had the same idea
    except OSError as error:
        reason = "it is not a folder" if isinstance(error, (FileExistsError, NotADirectoryError)) else error.strerror
        raise StartupError(
            f"the data folder {folder} cannot be used ({reason}): set ONSALE_DATA to a folder that can be written"
        ) from None
    return folder


def is_open_to_others(path: Path) -> bool:
    """Whether any user of this machine can list the folder; False when there is none."""
    try:
        mode = path.expanduser().stat().st_mode
    except OSError:
        return False
    return bool(mode & stat.S_IROTH)


def close_listing(folder: Path) -> None:
    """Others may pass through at most: what they may read there is for each file to say. Raises OSError."""
    folder.chmod(stat.S_IMODE(folder.stat().st_mode) & ~(stat.S_IRGRP | stat.S_IROTH))
