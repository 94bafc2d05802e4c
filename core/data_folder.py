"""The data folder: embedded engines, secrets, e-mail files."""

from __future__ import annotations

from pathlib import Path

from core.errors import StartupError


def data_folder(path: Path) -> Path:
    """The folder as an absolute path, made when missing. Raises StartupError unless files can be written there."""
    folder = path.expanduser().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.write_bytes(b"")
        probe.unlink(missing_ok=True)  # another process may have had the same idea
    except OSError as error:
        reason = "it is not a folder" if isinstance(error, (FileExistsError, NotADirectoryError)) else error.strerror
        raise StartupError(
            f"the data folder {folder} cannot be used ({reason}): set ONSALE_DATA to a folder that can be written"
        ) from None
    return folder
