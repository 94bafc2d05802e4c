"""The data folder: embedded engines, secrets, e-mail files."""

from __future__ import annotations

import grp
import pwd
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
    """Whether other users of this machine can list the folder: all of them, or those of its group, unless that is the
    owner's own. False when there is none.
    """
    try:
        found = path.expanduser().stat()
    except OSError:
        return False
    by_group = found.st_mode & stat.S_IRGRP and not _is_private(found.st_gid, found.st_uid)
    return bool(found.st_mode & stat.S_IROTH or by_group)


def _is_private(group: int, owner: int) -> bool:
    """Whether nobody but the owner is in the group: most systems make one such for each user, of the same name."""
    try:
        user, its = pwd.getpwuid(owner), grp.getgrgid(group)
    except KeyError:
        return group == owner  # in a container they may have no names
    return (its.gr_gid, its.gr_name) == (user.pw_gid, user.pw_name) and set(its.gr_mem) <= {user.pw_name}


def close_listing(folder: Path) -> None:
    """Others may pass through at most: what they may read there is for each file to say. Raises OSError."""
    folder.chmod(stat.S_IMODE(folder.stat().st_mode) & ~(stat.S_IRGRP | stat.S_IROTH))
