"""S31 against a real HTTP server that behaves as Slack's webhooks do."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog

from core.notifications.alert_messages import AlertMessage, Healed, MessengerAway
from core.notifications.alerts import Alert
from core.notifications.slack_http import SlackMessenger, payload
from tests.waits import PATIENCE

SECRET = "T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"
NOW = 1_800_000_000.0


@dataclass
class Slack:
    """`says`: the raw answer to each request; None: it never comes."""

    url: str = ""
    says: bytes | None = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    got: list[dict[str, Any]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(head.partition("content-length:")[2].partition("\r\n")[0])
                self.got.append(json.loads(await reader.readexactly(length)))
                if self.says is None:
                    await asyncio.Event().wait()
                    return
                writer.write(self.says)
                await writer.drain()


@pytest.fixture
async def slack() -> AsyncIterator[Slack]:
    slack = Slack()
    server = await asyncio.start_server(slack.serve, "127.0.0.1", 0)
    slack.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/services/{SECRET}"
    yield slack
    server.close()


def alert(name: str = "redis_away", news: Any = "fired", **changes: Any) -> Alert:
    fields: dict[str, Any] = {
        "name": name,
        "subject": "-",
        "severity": "fail",
        "detail": "does not answer",
        "action": "Bring Redis back.",
        "since": NOW - 65,
        "firing": news == "fired",
        "news": news,
        "ended": None if news == "fired" else NOW,
    }
    return Alert(**(fields | changes))


def message(
    *alerts: Alert, healed: tuple[Healed, ...] = (), console: str = "https://tickets.example/ops"
) -> AlertMessage:
    return AlertMessage(alerts, healed, NOW, console)


def text_of(body: dict[str, Any]) -> str:
    return "\n".join(
        block["text"]["text"] if block["type"] == "section" else block["elements"][0]["text"]
        for block in body["blocks"]
    )


async def test_alerts_of_a_minute_are_one_message(slack: Slack) -> None:
    messenger = SlackMessenger(slack.url)
    await messenger.send(
        message(
            alert(),
            alert("board_lost", subject="summer"),
            alert("circuit_open", news="resolved"),
            alert("relay_stuck", news="brief"),
            healed=(Healed("seats mended in Redis", "summer", 3),),
        )
    )
    await messenger.aclose()
    [body] = slack.got
    assert body["text"] == "Onsale: redis away, board lost (summer); 2 resolved; self-healing was at work"
    text = text_of(body)
    assert "*redis away* since" in text
    assert "Bring Redis back." in text
    assert "*circuit open* is resolved after 65 s" in text
    assert "*relay stuck* was brief: over after 65 s" in text
    assert "seats mended in Redis (summer): 3" in text
    assert "<https://tickets.example/ops|Open the console>" in text


async def test_nothing_of_ours_is_read_as_a_mention_or_a_link(slack: Slack) -> None:
    """What a detail quotes may come from anybody."""
    body = payload(message(alert(detail="<!channel> & <https://evil.example|x>"), console=""))
    assert "&lt;!channel&gt; &amp; &lt;https://evil.example|x&gt;" in text_of(body)
    assert len(body["blocks"]) == 1


def test_a_hundred_alerts_still_fit_into_a_message() -> None:
    """Slack takes 50 blocks of 3,000 characters."""
    body = payload(message(*(alert(subject=f"event-{i}", detail="x" * 5000) for i in range(100))))
    assert len(body["blocks"]) <= 50
    assert all(len(block["text"]["text"]) <= 3000 for block in body["blocks"] if "text" in block)
    assert "80 more" in text_of(body)


@pytest.mark.parametrize(
    ("says", "wait"),
    [
        (b"HTTP/1.1 429 Too Many\r\nRetry-After: 17\r\nContent-Length: 0\r\n\r\n", 17),
        (b"HTTP/1.1 429 Too Many\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n", 30),
        (b"HTTP/1.1 429 Too Many\r\nRetry-After: 999999\r\nContent-Length: 0\r\n\r\n", 3600),
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", 30),
        (b"HTTP/1.1 404 no_service\r\nContent-Length: 10\r\n\r\nno_service", 600),
        (b"HTTP/1.1 302 Elsewhere\r\nLocation: https://evil.example/\r\nContent-Length: 0\r\n\r\n", 600),
        (b"nonsense\r\n\r\n", 30),
    ],
)
async def test_a_refusal_says_when_to_try_again(slack: Slack, says: bytes, wait: float) -> None:
    slack.says = says
    messenger = SlackMessenger(slack.url)
    with pytest.raises(MessengerAway) as refused:
        await messenger.send(message(alert()))
    await messenger.aclose()
    assert refused.value.retry_after == wait


async def test_a_slack_that_is_away_or_silent_is_waited_for_only_so_long(
    slack: Slack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.notifications.slack_http._TIMEOUT_SECONDS", 0.2)
    slack.says = None
    for url in (slack.url, "http://127.0.0.1:1/services/" + SECRET, "http://[/" + SECRET, "nonsense"):
        messenger = SlackMessenger(url)
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(MessengerAway) as refused:
                await messenger.send(message(alert()))
        await messenger.aclose()
        assert SECRET not in str(refused.value)
        assert refused.value.__cause__ is None, "the library's error may repeat the address"


async def test_the_webhook_is_never_logged(slack: Slack, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with structlog.testing.capture_logs() as lines:
        messenger = SlackMessenger(slack.url)
        await messenger.send(message(alert()))
        slack.says = b"HTTP/1.1 403 invalid_token\r\nContent-Length: 0\r\n\r\n"
        with pytest.raises(MessengerAway):
            await messenger.send(message(alert()))
        await messenger.aclose()
    assert SECRET not in caplog.text + str(lines) + repr(messenger)
