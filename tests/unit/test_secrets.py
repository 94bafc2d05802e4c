"""Secrets: given, or made once, kept private, and the same for every process of the installation."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from core.errors import StartupError
from core.secrets import OPERATOR_TOKEN_FILE, SECRET_KEY_FILE, SHORTEST, operator_token_is_new, resolve_secrets
from core.settings import Settings


def resolved(folder: Path, **given: str) -> tuple[str, str]:
    settings = resolve_secrets(Settings.load(**{"data": folder, "secret_key": "", "operator_token": "", **given}))
    return settings.secret_key.get_secret_value(), settings.operator_token.get_secret_value()


def test_secrets_are_made_once_and_are_private(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    assert operator_token_is_new(Settings.load(data=folder, operator_token=""))
    first = resolved(folder)
    assert not operator_token_is_new(Settings.load(data=folder, operator_token=""))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert first == resolved(folder)
    assert first[0] != first[1]
    assert min(map(len, first)) >= 32
    for name in (SECRET_KEY_FILE, OPERATOR_TOKEN_FILE):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    assert sorted(path.name for path in folder.iterdir()) == [OPERATOR_TOKEN_FILE, SECRET_KEY_FILE]
    assert resolved(tmp_path / "other") != first


def test_given_secrets_leave_the_disk_alone(tmp_path: Path) -> None:
    folder = tmp_path / "unused"
    given = ("k" * SHORTEST, "t" * SHORTEST)
    assert resolved(folder, secret_key=given[0], operator_token=given[1]) == given
    assert not folder.exists()


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    for attempt in range(20):
        folder = tmp_path / str(attempt)
        with ThreadPoolExecutor(8) as pool:
            assert len(set(pool.map(lambda _, folder=folder: resolved(folder), range(8)))) == 1


@pytest.mark.parametrize("content", [b"", b"\n", b"short", b"\xff\xfe" * 20])
def test_a_damaged_secret_is_not_used(tmp_path: Path, content: bytes) -> None:
    """A key that can be guessed would sign anybody's ticket."""
    (tmp_path / SECRET_KEY_FILE).write_bytes(content)
    with pytest.raises(StartupError, match=SECRET_KEY_FILE):
        resolved(tmp_path)
    assert (tmp_path / SECRET_KEY_FILE).read_bytes() == content


def test_a_data_folder_that_is_none_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(StartupError, match="not a folder"):
        resolved(file)


def test_secrets_that_others_issue_are_taken_as_they_are(tmp_path: Path) -> None:
    """R10: nobody can make a provider's key longer."""
    issued = [
        name
        for name, field in Settings.model_fields.items()
        if isinstance(field.default, SecretStr) and name not in ("secret_key", "operator_token")
    ]
    assert {"toss_secret", "stripe_secret", "captcha_secret", "kafka_password"} <= set(issued)
    given = {name: f"s{turn}" for turn, name in enumerate(issued)}
    settings = resolve_secrets(Settings.load(data=tmp_path, secret_key="k" * SHORTEST, **given))
    assert {name: getattr(settings, name).get_secret_value() for name in issued} == given
