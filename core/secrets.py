"""The secret key and the operator token: given by settings, or made once and kept in the data folder (mode 0600)."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

from pydantic import SecretStr

from core.data_folder import data_folder
from core.errors import StartupError
from core.settings import Settings

SECRET_KEY_FILE = "secret_key"  # noqa: S105 - a file's name
OPERATOR_TOKEN_FILE = "operator_token"  # noqa: S105 - a file's name

#: A shorter secret of ours can be guessed. Those that others issue are taken as they are.
SHORTEST = 16


def resolve_secrets(settings: Settings) -> Settings:
    """A copy with `secret_key` and `operator_token` filled in. Raises StartupError when they cannot be kept, or are
    shorter than `SHORTEST` characters.

    Processes on several machines must be given the same two settings: files are not shared between them.
    """
    return settings.model_copy(
        update={
            "secret_key": _given_or_kept(settings.secret_key, settings.data, SECRET_KEY_FILE, 48),
            "operator_token": _given_or_kept(settings.operator_token, settings.data, OPERATOR_TOKEN_FILE, 24),
        }
    )


def known_secrets(settings: Settings) -> Settings:
    """`resolve_secrets` for who must change nothing: a secret that is neither given nor kept is left empty."""

    def known(given: SecretStr, name: str) -> SecretStr:
        if given.get_secret_value():
            return given
        try:
            return SecretStr((settings.data.expanduser() / name).read_text("ascii").strip())
        except (OSError, UnicodeDecodeError):
            return given

    return settings.model_copy(
        update={
            "secret_key": known(settings.secret_key, SECRET_KEY_FILE),
            "operator_token": known(settings.operator_token, OPERATOR_TOKEN_FILE),
        }
    )


def operator_token_is_new(settings: Settings) -> bool:
    """Before `resolve_secrets`: whether that will make the operator token, which nobody has seen then."""
    return not (
        settings.operator_token.get_secret_value() or (settings.data.expanduser() / OPERATOR_TOKEN_FILE).exists()
    )


def _given_or_kept(given: SecretStr, folder: Path, name: str, random_bytes: int) -> SecretStr:
    value = given.get_secret_value()
    if not value:
        return SecretStr(_kept(folder, name, random_bytes))
    if len(value) < SHORTEST:
        variable = f"ONSALE_{name.upper()}"
        raise StartupError(
            f"{variable} has {len(value)} characters and can be guessed: give it {SHORTEST} at least, such as the "
            f"output of `openssl rand -base64 32`, or leave it out"
        )
    return given


def _kept(folder: Path, name: str, random_bytes: int) -> str:
    """The file's content; a missing file is made. Two processes that start together end with the same value."""
    path = data_folder(folder) / name
    try:
        if not path.exists():
            _make(path, secrets.token_urlsafe(random_bytes))
        value = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StartupError(
            f"{path} cannot be read or made ({getattr(error, 'strerror', None) or 'not text'}): "
            f"mend it, or set ONSALE_{name.upper()}"
        ) from None
    if len(value) < SHORTEST:
        raise StartupError(
            f"{path} holds no secret of {SHORTEST} characters or more: delete it, or set ONSALE_{name.upper()}"
        )
    return value


def _make(path: Path, value: str) -> None:
    """Whole or not at all: written beside (mkstemp's mode is 0600), linked into place unless another was first."""
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(value + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        os.unlink(draft)
