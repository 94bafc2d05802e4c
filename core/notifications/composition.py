"""Which mailer and which messenger this installation has, and the consumer that writes to buyers."""

from __future__ import annotations

from collections.abc import Sequence

from core.notifications.alert_messages import Messenger, NoMessenger
from core.notifications.email_consumer import EmailConsumer
from core.notifications.email_files import FileMailer
from core.notifications.email_smtp import SmtpMailer
from core.notifications.mail_check import check_mail
from core.notifications.mailer import Mailer
from core.notifications.pace_redis import PacedMailer
from core.notifications.slack_http import SlackMessenger
from core.notifications.trial import MailTrial
from core.process.lua_redis import ScriptRunner
from core.settings import Settings


def open_mailer(settings: Settings, run: ScriptRunner | None = None) -> Mailer:
    """By SMTP when a server is named, else files under the data folder; `run` keeps the pace over all processes.
    Raises StartupError for a bad SMTP_URL.
    """
    url = settings.smtp_url.get_secret_value()
    mailer = SmtpMailer(url) if url else FileMailer(settings.data / "mail")
    return PacedMailer(mailer, run, settings.mail_per_second) if run and settings.mail_per_second else mailer


def mail_warnings(settings: Settings) -> Sequence[str]:
    """See `check_mail`. Raises StartupError."""
    return check_mail(
        smtp_url=settings.smtp_url.get_secret_value(),
        base_url=settings.base_url or f"http://{settings.host}",
        sender=settings.mail_from,
        reply_to=settings.mail_reply_to,
    )


def email_consumer(settings: Settings, mailer: Mailer) -> EmailConsumer:
    """The consumer of reservation messages that mails by `mailer`, with links to where buyers reach the site."""
    return EmailConsumer(
        mailer=mailer, base_url=site_of(settings), sender=settings.mail_from, reply_to=settings.mail_reply_to
    )


def mail_trial(settings: Settings) -> MailTrial:
    """Tries what `email_consumer` will write."""
    return MailTrial(base_url=site_of(settings), sender=settings.mail_from, reply_to=settings.mail_reply_to)


def open_messenger(settings: Settings) -> Messenger:
    """To Slack when a webhook is named."""
    url = settings.slack_webhook_url.get_secret_value()
    return SlackMessenger(url) if url else NoMessenger()


def site_of(settings: Settings) -> str:
    """Where buyers reach the shop."""
    return settings.base_url or f"http://{settings.host}:{settings.port}"
