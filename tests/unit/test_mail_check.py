"""R10: mail that leaves the building has links and a sender that exist; a catcher next door is only warned about."""

from __future__ import annotations

import pytest

from core.errors import StartupError
from core.notifications.composition import mail_warnings
from core.settings import Settings

REAL = ["smtp://smtp.gmail.com:587", "smtps://u:p@8.8.8.8:465", "smtp://[2606:4700::1]:25"]
NEAR = ["smtp://127.0.0.1:1025", "smtp://mail:1025", "smtp://localhost", "smtp://10.0.0.5:25", "smtp://[::1]:25"]


def settings(url: str, base_url: str = "https://hall.test", sender: str = "Hall <tickets@hall.test>") -> Settings:
    return Settings.load(smtp_url=url, base_url=base_url, mail_from=sender)


@pytest.mark.parametrize("url", [*REAL, *NEAR, ""])
def test_what_is_right_is_said_nothing_about(url: str) -> None:
    assert not mail_warnings(settings(url))


@pytest.mark.parametrize(
    "base_url", ["", "http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]/", "http://0.0.0.0"]
)
@pytest.mark.parametrize("url", REAL)
def test_links_that_lead_nowhere_do_not_start(url: str, base_url: str) -> None:
    with pytest.raises(StartupError, match="ONSALE_BASE_URL"):
        mail_warnings(settings(url, base_url=base_url))


@pytest.mark.parametrize("url", REAL)
def test_a_sender_that_nobody_is_does_not_start(url: str) -> None:
    with pytest.raises(StartupError, match="ONSALE_MAIL_FROM"):
        mail_warnings(settings(url, sender="Onsale <tickets@onsale.example>"))


@pytest.mark.parametrize("url", NEAR)
def test_next_door_it_is_a_warning(url: str) -> None:
    links, sender = mail_warnings(settings(url, base_url="", sender="tickets@onsale.EXAMPLE"))
    assert "ONSALE_BASE_URL" in links
    assert "ONSALE_MAIL_FROM" in sender


def test_files_are_nobody_s_mail() -> None:
    assert not mail_warnings(settings("", base_url="", sender="tickets@onsale.example"))
