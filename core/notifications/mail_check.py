"""Whether what is mailed can be of use to who gets it: its links lead to the site, its sender exists (R10)."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

from core.errors import StartupError
from core.notifications.address import NotMailable
from core.notifications.messages import mailbox


def check_mail(*, smtp_url: str, base_url: str, sender: str, reply_to: str) -> Sequence[str]:
    """What to warn about: links in mails begin with `base_url`. Raises StartupError where the mail would leave: buyers
    cannot use it, and it cannot be called back.
    """
    address = _mailbox("ONSALE_MAIL_FROM", sender)
    if reply_to:
        _mailbox("ONSALE_MAIL_REPLY_TO", reply_to)
    server = _host(smtp_url)
    if not server:
        return ()
    wrong = []
    links = _host(base_url)
    if _is_loopback(links):
        wrong.append(f"links in e-mails lead to {links}, which is the reader's own machine: set ONSALE_BASE_URL")
    if address.lower().rpartition(".")[2] == "example":
        wrong.append(f"e-mails come from {address}, which nobody has: set ONSALE_MAIL_FROM")
    if wrong and not _is_near(server):
        raise StartupError(f"the mail server {server} (SMTP_URL) sends to real people, but {'; and '.join(wrong)}")
    return wrong


def _mailbox(variable: str, value: str) -> str:
    """The address in it. Raises StartupError."""
    try:
        return mailbox(value).addr_spec
    except NotMailable as error:
        raise StartupError(f"{variable} is not valid: it looks like Name <tickets@hall.org> ({error})") from None


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:  # told by whoever opens the mailer
        return ""


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _is_near(host: str) -> bool:
    """A mail catcher of this machine or its network: loopback, a private address, or a name of one word."""
    if _is_loopback(host) or "." not in host.strip("."):
        return ":" not in host or ipaddress.ip_address(host).is_private
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False
