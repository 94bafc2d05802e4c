"""S30: what an operator does on the command line stands in the audit trail, as what the console does."""

from __future__ import annotations

import asyncio
import getpass
import json
from uuid import uuid4

import pytest

from cli import audit as command_audit
from core import audit_postgres as audit
from core.database import open_database
from core.settings import Settings
from tests.integration.onsale_process import onsale_here
from tests.integration.test_cli import HALL, PRICES

pytestmark = pytest.mark.usefixtures("patient")


def entries(settings: Settings, subject: str) -> list[audit.Entry]:
    """The oldest first."""

    async def read() -> list[audit.Entry]:
        database = await open_database(settings.database_url, 2)
        try:
            return list(reversed(await audit.page(database, subject=subject)))
        finally:
            await database.disconnect()

    return asyncio.run(read())


def test_what_the_command_line_does_is_written_down(settings: Settings) -> None:
    slug = f"cli-{uuid4().hex[:10]}"
    stores = {"DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url}
    for command in (
        ("event", "create", slug, "--plan", str(HALL), *PRICES),
        ("event", "open", slug),
        ("event", "show", slug),
        ("reconcile", "--event", slug),
        ("diagnose", "--event", slug, "--seat", "1"),
        ("diagnose", "--event", slug, "--seat", "1", "--fix"),
        ("event", "close", slug),
        ("event", "close", "nowhere"),
        ("messages", "dead", "retry", "1"),
    ):
        onsale_here(*command, **stores)
    done = entries(settings, slug)
    assert [entry.action for entry in done if entry.actor != audit.SYSTEM] == [
        "sale.create",
        "sale.open",
        "sale.reconcile",
        "diagnosis.fix",
        "sale.close",
    ]
    assert {entry.actor for entry in done} - {audit.SYSTEM} == {f"cli:{getpass.getuser()}"}
    assert (done[0].detail["plan"], done[0].detail["status"]) == (HALL.name, "SCHEDULED")
    assert entries(settings, "nowhere") == []
    assert entries(settings, "-")[-1].action == "dead_letters.retry"


def test_a_user_without_a_name_has_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert command_audit.operator().removeprefix("cli:").isdigit()


def test_removals_are_made_listed_and_ended(settings: Settings) -> None:
    """R9, from the shell."""
    slug = f"cli-{uuid4().hex[:10]}"
    stores = {"DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url}
    onsale_here("event", "create", slug, "--plan", str(HALL), *PRICES, **stores)
    made = onsale_here("removal", "add", slug, "--network", "203.0.113.9/24", "--minutes", "5", **stores)
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith(f"203.0.113.0/24 is kept out of {slug} until ")
    (listed,) = json.loads(onsale_here("removal", "list", slug, "--json", **stores).stdout)
    assert (listed["network"], listed["visitor"], listed["actor"]) == (
        "203.0.113.0/24",
        None,
        f"cli:{getpass.getuser()}",
    )
    ended = onsale_here("removal", "end", slug, str(listed["id"]), **stores)
    assert (ended.returncode, ended.stdout) == (0, f"removal {listed['id']} is over\n")
    again = onsale_here("removal", "end", slug, str(listed["id"]), **stores)
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr.startswith(f"onsale: there is no removal {listed['id']} of {slug}")
    assert json.loads(onsale_here("removal", "list", slug, "--json", **stores).stdout) == []
    for wrong in (["--network", "nowhere"], [], ["--network", "10.0.0.0/8"]):
        refused = onsale_here("removal", "add", slug, *wrong, **stores)
        assert refused.returncode == 2, refused.stderr
        assert "Traceback" not in refused.stderr
    assert [entry.action for entry in entries(settings, slug)] == ["sale.create", "visitor.remove", "removal.end"]
