"""Who can look into the data folder: what a start warns about (R10)."""

from __future__ import annotations

import grp
import pwd
from pathlib import Path

import pytest

from core.data_folder import is_open_to_others


def group(name: str, *members: str) -> tuple[str, list[str]]:
    return name, list(members)


@pytest.mark.parametrize(
    ("mode", "of_group", "open_"),
    [
        (0o700, group("staff", "lee"), False),
        (0o755, group("kim"), True),
        (0o704, group("kim"), True),
        (0o750, group("kim"), False),
        (0o750, group("kim", "kim"), False),
        (0o750, group("kim", "kim", "lee"), True),
        (0o750, group("staff"), True),
        (0o740, group("staff"), True),
        # To pass through: what is read there is for each file to say.
        (0o711, group("staff", "lee"), False),
        # Neither has a name, as in a container: by its number it is the owner's own, or not.
        (0o750, None, None),
    ],
)
def test_who_can_look_into_the_data_folder(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: int,
    of_group: tuple[str, list[str]] | None,
    open_: bool | None,
) -> None:
    """R10: a group that is not the owner's own are others as well."""
    tmp_path.chmod(mode)
    found = tmp_path.stat()

    def user(uid: int) -> pwd.struct_passwd:
        assert uid == found.st_uid
        if of_group is None:
            raise KeyError(uid)
        return pwd.struct_passwd(("kim", "x", uid, found.st_gid, "", "/", "/bin/sh"))

    def named(gid: int) -> grp.struct_group:
        assert of_group is not None
        return grp.struct_group((of_group[0], "x", gid, of_group[1]))

    monkeypatch.setattr(pwd, "getpwuid", user)
    monkeypatch.setattr(grp, "getgrgid", named)
    assert is_open_to_others(tmp_path) == (found.st_gid != found.st_uid if open_ is None else open_)


def test_a_folder_that_is_not_there_is_open_to_nobody(tmp_path: Path) -> None:
    assert not is_open_to_others(tmp_path / "none")
