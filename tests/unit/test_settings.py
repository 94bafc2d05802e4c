"""Settings: one reader of the environment, clear refusals, a page that is current, nothing twice or unused."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from pydantic import SecretStr

from core.errors import StartupError
from core.settings import Settings, variable_name
from core.settings_docs import document

ROOT = Path(__file__).parents[2]

#: Names that others rely on: they stay as they are.
PROMISED = {
    "PORT",
    "WORKERS",
    "DATABASE_URL",
    "DATABASE_REPLICA_URL",
    "REDIS_URL",
    "KAFKA_BOOTSTRAP_SERVERS",
    "SCHEMA_REGISTRY_URL",
    "SLACK_WEBHOOK_URL",
    "SMTP_URL",
    "ONSALE_DATA",
    "ONSALE_OPERATOR_TOKEN",
    "ONSALE_SEAT_GUARD",
    "ONSALE_SECRET_KEY",
    "ONSALE_RATE_LIMITS",
}


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(variable_name(name), raising=False)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "http"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("WORKERS", "0"),
        ("WORKERS", "two"),
        ("ONSALE_HOLD_SECONDS", "0"),
        ("ONSALE_HOLD_SECONDS", "5 minutes"),
        ("ONSALE_SEAT_GUARD", "hope"),
        ("ONSALE_LOCK_WAIT_SECONDS", "4"),
        ("ONSALE_RATE_LIMITS", "sometimes"),
        ("ONSALE_DATABASE_POOL", "1"),
        ("ONSALE_REDIS_POOL", "15"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(StartupError) as caught:
        Settings.load()
    text = str(caught.value)
    assert text.startswith(f"{variable} ")
    assert value in text
    assert "\n" not in text


def test_a_wrong_secret_is_not_repeated() -> None:
    with pytest.raises(StartupError) as caught:
        Settings.load(secret_key=["hunter2"])
    assert "hunter2" not in str(caught.value)


def test_the_environment_is_read_and_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9000")
    monkeypatch.setenv("ONSALE_SEAT_GUARD", "lock")
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setenv("WORKERS", "")
    loaded = Settings.load()
    assert (loaded.port, loaded.seat_guard, loaded.workers) == (9000, "lock", 1)
    assert (loaded.database_url, loaded.redis_url) == ("", ""), "both are embedded"


def test_promised_variables_exist_and_all_others_start_with_onsale() -> None:
    names = {variable_name(name) for name in Settings.model_fields}
    assert names >= PROMISED
    assert all(name.startswith("ONSALE_") for name in names - PROMISED)


def test_no_variable_sets_two_things() -> None:
    counts = Counter(variable_name(name) for name in Settings.model_fields)
    assert [name for name, times in counts.items() if times > 1] == []


def test_every_setting_says_what_it_is() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name


def test_seconds_have_a_unit() -> None:
    for name, field in Settings.model_fields.items():
        extra = field.json_schema_extra
        assert isinstance(extra, dict)
        if name.endswith("_seconds"):
            assert extra["unit"] == "s", name


def test_secrets_are_never_shown() -> None:
    secret = re.compile(r"(secret|token|password|webhook|smtp_url)")
    for name, field in Settings.model_fields.items():
        if secret.search(name):
            assert isinstance(field.default, SecretStr), name


def test_every_setting_is_used() -> None:
    """A setting that nothing reads is a promise that is not kept."""
    source = "\n".join(
        path.read_text()
        for package in ("core", "realtime", "web", "cli", "bench")
        for path in (ROOT / package).rglob("*.py")
        if path.parent.name != "settings"
    )
    unused = {name for name in Settings.model_fields if not re.search(rf"\.{name}\b", source)}
    assert not unused


def test_the_page_of_settings_is_current() -> None:
    """`make docs` writes it."""
    assert (ROOT / "docs" / "settings.md").read_text() == document()


def test_the_page_names_every_setting() -> None:
    page = document()
    assert [name for name in Settings.model_fields if f"`{variable_name(name)}`" not in page] == []
