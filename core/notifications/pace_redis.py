"""How many e-mails a second leave this installation, over all of its processes: mail providers close an account that
sends faster than was agreed.
"""

from __future__ import annotations

import asyncio
from typing import Final

from core import keys
from core.errors import StoreUnavailable
from core.notifications.letter import Letter
from core.notifications.mailer import MailAway, Mailer
from core.process.lua_redis import Script, ScriptRunner
from core.process.source_files import SourceFiles

# A turn is taken with each call: after an answer that was lost one turn passes unused, which hurts nobody.
_TURN: Final = Script(SourceFiles(__file__, "lua"), "mail_turn")
#: An e-mail whose turn is further away, in seconds, is left for later: it would hold a transaction meanwhile.
_LONGEST_WAIT: Final = 60.0


class PacedMailer:
    """Hands e-mails on to `mailer`, `per_second` of them, evenly. Without Redis each process keeps the pace itself."""

    # A transaction is open while it waits for a turn.
    at_once: Final = 1

    def __init__(self, mailer: Mailer, run: ScriptRunner, per_second: float) -> None:
        self._mailer = mailer
        self._run = run
        self._pause = 1 / per_second
        self._due = 0.0

    async def send(self, *letters: Letter) -> None:
        """Raises MailAway, also when there are too many before it, and MailRefused."""
        for letter in letters:
            await self._send(letter)

    async def _send(self, letter: Letter) -> None:
        wait = await self._turn()
        if wait < 0:
            raise MailAway(f"{-wait * 1000:.0f} ms of e-mails are before this one (ONSALE_MAIL_PER_SECOND)")
        if wait:
            await asyncio.sleep(wait)
        await self._mailer.send(letter)

    async def close(self) -> None:
        await self._mailer.close()

    async def _turn(self) -> float:
        """Seconds to wait; below zero: too many."""
        now = asyncio.get_running_loop().time()
        try:
            answer = await self._run(_TURN, [keys.mail_turn()], [self._pause * 1000, _LONGEST_WAIT * 1000])
            wait = int(answer) / 1000
        except StoreUnavailable:
            wait = max(self._due - now, 0.0)
        self._due = now + max(wait, 0.0) + self._pause
        return wait
