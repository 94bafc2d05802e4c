"""R7: docs/diagnose.md goes through every key, table and setting, and every cause is seeded by a test."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path

from core import keys
from core.diagnosis.finding import Cause
from core.payments.registry import PROVIDERS
from core.settings import Settings, variable_name

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "diagnose.md").read_text()
LIST = PAGE[PAGE.index("## One by one") : PAGE.index("## Traces of purchases")]


def part(title: str) -> list[list[str]]:
    """The rows of one of the list's tables, cell by cell."""
    text = LIST.split(f"### {title}\n")[1].partition("\n### ")[0]
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| `") or line[:2] == "| "]
    return [row for row in rows if row[0] not in ("key", "table", "thing", "settings")]


def named(title: str) -> set[str]:
    """What stands in the first column."""
    return {name for row in part(title) for name in re.findall(r"`([^`]+)`", row[0])}


def test_every_key_is_in_the_list() -> None:
    made = {
        builder("x")
        for name, builder in vars(keys).items()
        if callable(builder)
        and getattr(builder, "__module__", "") == keys.__name__
        and name not in ("seat_state", "seat_lock", "job_lease", "breaker", "mail_turn")
        and not name.endswith(("_channel", "_prefix"))
    }
    singles = {keys.VITALS, keys.JOBS, keys.LOAD, keys.ALERTS, keys.mail_turn(), "state:seat", "lock:seat", "lock:job"}
    wanted = {re.sub(r":\{x\}.*", "", key) for key in made} | singles | {"breaker", "ticket:proof"}
    assert named("Keys of Redis") == wanted


def test_every_table_is_in_the_list() -> None:
    made = {
        name
        for path in (ROOT / "core" / "migrations" / "versions").glob("*.py")
        for name in re.findall(r"CREATE TABLE (\w+)", path.read_text())
    }
    assert {name for name in named("Rows of PostgreSQL") if name.islower() and not name.isdigit()} == made


def test_every_setting_is_in_the_list() -> None:
    # A row stands for all providers: a further one has nothing to add.
    each = {f"ONSALE_{name.upper()}_*" for name in PROVIDERS}
    listed = named("Settings")
    assert "ONSALE_PROVIDER_*" in listed
    patterns = listed - {"ONSALE_PROVIDER_*"} | each
    variables = [variable_name(field) for field in Settings.model_fields]
    missing = [one for one in variables if not any(fnmatch.fnmatchcase(one, pattern) for pattern in patterns)]
    assert not missing
    unused = [one for one in patterns if not any(fnmatch.fnmatchcase(variable, one) for variable in variables)]
    assert not unused


def test_every_cause_is_in_the_list_and_nothing_else() -> None:
    """But for what is no fault."""
    told = {name for title in TITLES for row in part(title) for name in re.findall(r"`([a-z_]+)`", row[-1])}
    codes = {"cross_site", "mailed_often", "forbidden", "returns", "turns"}
    assert told - codes - {str(cause) for cause in Cause} == set()
    assert {str(cause) for cause in Cause} - told == {"purchase_confirmed", "nothing_found"}


TITLES = ("Keys of Redis", "Rows of PostgreSQL", "Leases, claims, clocks and limits", "Settings")


def test_every_cause_is_seeded() -> None:
    seeds = "".join(path.read_text() for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__))
    assert [cause.name for cause in Cause if not re.search(rf"\bCause\.{cause.name}\b", seeds)] == []
