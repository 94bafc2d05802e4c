"""R10: the e-mail that a purchase promises is tried before the money."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.errors import InvalidRequest, MailImpossible
from core.notifications import trial
from core.notifications.trial import MailTrial
from tests.conftest import MakeEvent

pytestmark = pytest.mark.usefixtures("patient")


async def test_it_is_tried_with_what_the_consumer_will_write(
    make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = await make_event()
    attempt = MailTrial(base_url="https://hall.test", sender="Hall <tickets@hall.test>", reply_to="")
    attempt(replace(event, name="콘서트\u30002026 👨\u200d👩\u200d👧"), "kim@bücher.example", "ko")
    with pytest.raises(InvalidRequest) as refused:
        attempt(event, "jürgen@example.org", "en")
    assert refused.value.data["errors"][0]["at"] == "email"

    tried = []

    def broken(message: object, **_: object) -> None:
        tried.append(message)
        raise RuntimeError("a template that nobody can render")

    attempt(event, "kim@example.org", "en")
    monkeypatch.setattr(trial, "compose", broken)
    attempt(event, "lee@example.org", "en")  # this sale's e-mail was tried
    with pytest.raises(MailImpossible):
        attempt(replace(event, name="Another"), "kim@example.org", "en")
    assert len(tried) == 1
