"""The mail server, asked from here: would it take an e-mail? None is sent."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from email.utils import parseaddr
from pathlib import Path

import aiosmtplib

from core.diagnosis.finding import Cause, Finding, fail, passed
from core.notifications.email_smtp import MailServer, start_tls
from core.sentences import said

_PATIENCE_SECONDS = 3.0


async def mail(smtp_url: str, sender: str, folder: Path) -> AsyncIterator[Finding]:
    """`folder`: where e-mails are written without a server."""
    if not smtp_url:
        yield _folder(folder)
        return
    server = MailServer.parse(smtp_url)
    where = f"{server.host}:{server.port}"
    client = aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        use_tls=server.tls,
        timeout=_PATIENCE_SECONDS,
        start_tls=start_tls(server),
    )
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await client.connect()
            if server.username:
                await client.login(server.username, server.password or "")
            await client.mail(parseaddr(sender)[1])
            await client.rset()
    except TimeoutError:
        told = said("mail.silent", server=where, seconds=f"{_PATIENCE_SECONDS:g}")
        yield fail("mail server", Cause.MAIL_AWAY, told)
    except (aiosmtplib.SMTPException, OSError) as error:
        told = said("mail.refuses", server=where, sender=sender, why=_told(error))
        yield fail("mail server", Cause.MAIL_AWAY, told)
    else:
        yield passed("mail server", said("mail.takes", server=where, sender=sender))
    finally:
        client.close()


def _told(error: Exception) -> str:
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"{error.code} {error.message}"
    return str(error) or type(error).__name__


def _folder(folder: Path) -> Finding:
    # It is made with the first e-mail.
    there = next(one for one in (folder, *folder.parents) if one.exists())
    if os.access(there, os.W_OK | os.X_OK):
        return passed("mail", said("mail.folder", folder=str(folder)))
    return fail("mail", Cause.MAIL_AWAY, said("mail.no_folder", folder=str(folder)))
