"""Which mailer this installation has, and the consumer that writes to buyers."""

from __future__ import annotations

from core.notifications.email_consumer import EmailConsumer
from core.notifications.email_files import FileMailer
from core.notifications.email_smtp import SmtpMailer
from core.notifications.mailer import Mailer
from core.settings import Settings


def open_mailer(settings: Settings) -> Mailer:
    """By SMTP when a server is named, else files under the data folder. Raises StartupError for a bad SMTP_URL."""
    url = settings.smtp_url.get_secret_value()
    return SmtpMailer(url) if url else FileMailer(settings.data / "mail")


def email_consumer(settings: Settings, mailer: Mailer) -> EmailConsumer:
    """The consumer of reservation messages that mails by `mailer`, with links to where buyers reach the site."""
    address = settings.base_url or f"http://{settings.host}:{settings.port}"
    return EmailConsumer(mailer=mailer, base_url=address, sender=settings.mail_from)
