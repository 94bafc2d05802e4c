"""Alerts as messages to a Slack channel, by an incoming webhook (S31).

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks: JSON in, `ok` out; 429 with `Retry-After`
beyond about one message a second; 400-404 and 410 when the webhook is not, or no longer, good. The URL is a secret:
it is never logged, and no error of the HTTP library, which may repeat it, leaves this module.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
import structlog

from core.notifications.alert_messages import AlertMessage, Healed, MessengerAway
from core.notifications.alerts import Alert
from core.process.tls_http import trusted

log = structlog.get_logger(__name__)

_TIMEOUT_SECONDS = 5.0
_AGAIN_SECONDS = 30.0
# A webhook that is wrong will not be right in half a minute.
_WRONG_SECONDS = 600.0
_LONGEST_WAIT_SECONDS = 3600.0
#: Slack takes 50 blocks of 3,000 characters; more than this nobody reads at night.
_MOST_ALERTS = 20
_MOST_DETAIL = 600

_MARKS = {"fired": ":red_circle:", "resolved": ":large_green_circle:", "brief": ":white_circle:"}


class SlackMessenger:
    def __init__(self, webhook_url: str, *, client: httpx.AsyncClient | None = None) -> None:
        # httpx logs the address of every request at `info`.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        self._url = webhook_url
        self._client = client or httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, verify=trusted())

    async def send(self, message: AlertMessage) -> None:
        try:
            response = await self._client.post(self._url, json=payload(message))
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise MessengerAway(type(error).__name__, _AGAIN_SECONDS) from None
        if response.is_success:
            return
        wait = _AGAIN_SECONDS if response.status_code >= 500 else _WRONG_SECONDS
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            wait = _retry_after(response)
        raise MessengerAway(f"Slack answered {response.status_code}", wait)

    async def aclose(self) -> None:
        await self._client.aclose()


def _retry_after(response: httpx.Response) -> float:
    try:
        asked = float(response.headers.get("retry-after", ""))
    except ValueError:
        asked = _AGAIN_SECONDS
    return min(max(asked, 1.0), _LONGEST_WAIT_SECONDS)


def payload(message: AlertMessage) -> dict[str, Any]:
    """The message's JSON. `text` is what a phone's notification shows."""
    shown, more = message.alerts[:_MOST_ALERTS], len(message.alerts) - _MOST_ALERTS
    lines = [_line(alert, message.at) for alert in shown]
    if more > 0:
        lines.append(f"... and {more} more")
    if message.healed:
        lines.append(_healed(message.healed))
    blocks: list[dict[str, Any]] = [
        {"type": "section", "text": {"type": "mrkdwn", "text": line, "verbatim": True}} for line in lines
    ]
    if message.console_url:
        # Formatted as a link by Slack itself: the address is the installation's own.
        footer = {"type": "mrkdwn", "text": f"<{message.console_url}|Open the console>"}
        blocks.append({"type": "context", "elements": [footer]})
    return {"text": _summary(message), "blocks": blocks}


def _summary(message: AlertMessage) -> str:
    fired = [alert for alert in message.alerts if alert.news == "fired"]
    over = len(message.alerts) - len(fired)
    parts = [", ".join(_title(alert) for alert in fired[:5])] if fired else []
    if len(fired) > 5:
        parts.append(f"{len(fired) - 5} more")
    if over:
        parts.append(f"{over} resolved")
    if message.healed:
        parts.append("self-healing was at work")
    return _plain("Onsale: " + "; ".join(parts))


def _title(alert: Alert) -> str:
    name = alert.name.replace("_", " ")
    return name if alert.subject == "-" else f"{name} ({alert.subject})"


def _line(alert: Alert, now: float) -> str:
    news = alert.news or "fired"
    mark = ":large_yellow_circle:" if news == "fired" and alert.severity == "warn" else _MARKS[news]
    title = f"{mark} *{_plain(_title(alert))}*"
    since = datetime.fromtimestamp(alert.since, UTC).strftime("%H:%M:%S UTC")
    if news == "fired":
        return f"{title} since {since}\n{_plain(alert.detail[:_MOST_DETAIL])}\n_{_plain(alert.action)}_"
    lasted = _span(max(0.0, (alert.ended or now) - alert.since))
    return f"{title} {'was brief: over' if news == 'brief' else 'is resolved'} after {lasted}, since {since}"


def _healed(healed: Sequence[Healed]) -> str:
    items = "; ".join(f"{_plain(one.what)} ({_plain(one.subject)}): {one.count}" for one in healed[:10])
    return f":adhesive_bandage: *self-healing*: {items}"


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _plain(text: str) -> str:
    """Slack's control characters, escaped as it asks for; nothing of ours may be read as a mention or a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
