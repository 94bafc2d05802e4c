"""E-mails as .eml files in a folder, for an installation without a mail server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from core.notifications.letter import Letter
from core.notifications.mailer import MailAway


class FileMailer:
    """`folder`/<event uid>.eml, complete or not there at all. The same e-mail again replaces the same
    file.
    """

    #: As much as one look at the disk is worth: after the first file of a batch the others are nearly all there.
    at_once: Final = 32

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, *letters: Letter) -> None:
        try:
            await asyncio.to_thread(self._write, letters)
        except OSError as error:
            raise MailAway(f"{self._folder} cannot be written: {error.strerror}") from error

    async def close(self) -> None:
        """Nothing is kept open."""

    def _write(self, letters: Sequence[Letter]) -> None:
        self._folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.ExitStack() as written:
            files = []
            for letter in letters:
                handle, temporary = tempfile.mkstemp(dir=self._folder, prefix=".new-")
                written.callback(Path(temporary).unlink, missing_ok=True)
                file = written.enter_context(os.fdopen(handle, "wb"))
                file.write(letter.content)
                file.flush()
                files.append((file, temporary, letter))
            # All are with the operating system before the first is waited for: one journal entry carries many.
            for file, temporary, letter in files:
                os.fsync(file.fileno())
                # The left part of `uid@domain`; nothing in a header may choose another folder.
                name = re.sub(r"[^0-9A-Za-z-]", "_", letter.message_id.partition("@")[0])
                os.replace(temporary, self._folder / f"{name}.eml")
