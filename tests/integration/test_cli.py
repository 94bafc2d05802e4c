"""The command line as a user meets it: what it prints, what it changes, how it refuses."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from cli.runtime import look_at_runtime
from core.runtime import Runtime
from core.settings import Settings
from tests.integration.onsale_process import onsale, onsale_here

ROOT = Path(__file__).parents[2]
HALL = ROOT / "tests" / "data" / "riethsporthalle.json"
PRICES = ("--price", "Kategorie I=4500", "--price", "Kategorie II=3000", "--price", "VIP=12000")


@pytest.fixture
def slug() -> str:
    return f"cli-{uuid4().hex[:10]}"


class Command:
    """`onsale` on the test engines."""

    def __init__(self, settings: Settings) -> None:
        self._stores = {"DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url}

    def __call__(self, *arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        return onsale_here(*arguments, **self._stores, **more)

    def json(self, *arguments: str | Path) -> Any:
        done = self(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def command(settings: Settings) -> Command:
    return Command(settings)


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of a refusal; nothing on stdout, no trace."""
    assert done.returncode in (1, 2), done
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("onsale: ")
    return line


def test_the_sale_of_the_readme(command: Command, slug: str) -> None:
    """As it stands there, line by line, with a plan that a fresh clone has."""
    page = (ROOT / "README.md").read_text()
    [block] = re.findall(r"^## Open a sale$.*?^```sh$\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    lines = block.replace("\\\n", " ").splitlines()
    assert len(lines) == 4
    for line in lines:
        program, *words = shlex.split(line, comments=True)
        assert program == "onsale"
        done = command(*({"gala": slug}.get(word, word) for word in words))
        assert (done.returncode, done.stderr) == (0, ""), line
    assert command.json("event", "show", slug)["max_seats"] == 4


def test_a_sale_from_creation_to_its_end(command: Command, slug: str) -> None:
    made = command(
        "event",
        "create",
        slug,
        "--plan",
        HALL,
        "--name",
        "Handball",
        *PRICES,
        "--currency",
        "EUR",
        "--active-limit",
        "50",
        "--hold-seconds",
        "120",
        "--max-seats",
        "6",
        "--opens-at",
        "2031-05-01T10:00+09:00",
        "--closes-at",
        "2031-05-02T10:00:00Z",
        "--starts-at",
        "2031-05-03T20:00Z",
    )
    assert (made.returncode, made.stdout) == (0, f"created {slug}: 1231 seats\n"), made.stderr

    shown = command.json("event", "show", slug)
    assert shown == {
        "slug": slug,
        "phases": [],
        "name": "Handball",
        "state": "before",
        "status": "SCHEDULED",
        "paused": False,
        "opens_at": "2031-05-01T01:00:00.000Z",
        "closes_at": "2031-05-02T10:00:00.000Z",
        "starts_at": "2031-05-03T20:00:00.000Z",
        "currency": "EUR",
        "prices": {"Kategorie I": 4500, "Kategorie II": 3000, "VIP": 12000},
        "active_limit": 50,
        "hold_seconds": 120,
        "max_seats": 6,
        "seats": 1231,
        "time_zone": "UTC",
        "orphans": "allow",
        "focus": None,
        "companions": 0,
        "prequeue_seconds": 900,
        "fees": [{"hours": 24, "percent": 0}],
        "venue": "",
        "address": "",
        "description": "",
        "pictures": [],
    }
    assert "VIP: €120.00" in command("event", "show", slug).stdout

    assert command("event", "open", slug).stdout == f"{slug} is open\n"
    listed = command.json("event", "list")["events"]
    assert [event["state"] for event in listed if event["slug"] == slug] == ["open"]
    closed = command("event", "close", slug).stdout
    assert closed == f"{slug} is closed; it can be opened again until Friday, 2 May 2031, 10:00 (UTC)\n"
    lines = command("event", "list").stdout.splitlines()
    (line,) = [line for line in lines if line.startswith(slug)]
    assert line.split()[1:] == ["closed", "1231", "seats", "Handball"]
    assert command("event", "open", slug).stdout == f"{slug} is open\n", "until its time a closing is taken back"


def test_open_at_once_with_the_settings_as_defaults(command: Command, slug: str) -> None:
    done = command(
        "event",
        "create",
        slug,
        "--plan",
        HALL,
        *PRICES,
        "--open",
        "--json",
        ONSALE_ACTIVE_LIMIT="7",
        ONSALE_HOLD_SECONDS="45",
        ONSALE_MAX_SEATS="2",
    )
    made = json.loads(done.stdout)
    assert (made["state"], made["name"], made["currency"]) == ("open", slug, "KRW")
    assert (made["active_limit"], made["hold_seconds"], made["max_seats"]) == (7, 45, 2)


def test_labels_of_categories_and_what_is_not_for_sale(command: Command, slug: str) -> None:
    plan = HALL.parent / "plans" / "internal_category_names.json"
    key = "3f0c9d2e-5b1a-4c77-9d57-0a4a5f2e7b11"
    create = ("event", "create", slug, "--plan", plan)
    assert "no price for 'NOT AVAILABLE'" in refused(command(*create, "--price", f"{key}=15000:Stalls"))
    empty = command(*create, "--price", f"{key}=")
    assert (empty.returncode, "`--block`" in empty.stderr) == (2, True)
    command(*create, "--price", f"{key}=15000:Stalls", "--block", "NOT AVAILABLE")
    shown = command("event", "show", slug).stdout
    assert "Stalls: ₩15,000" in shown
    assert key not in shown


def test_what_cannot_be_sold_is_refused_in_one_line(command: Command, slug: str) -> None:
    def create(*more: str, prices: tuple[str, ...] = PRICES, name: str = slug) -> str:
        return refused(command("event", "create", name, "--plan", HALL, *prices, *more))

    assert "no price for 'Kategorie I', 'Kategorie II', 'VIP'" in create(prices=())
    assert "no price for 'Kategorie II', 'VIP'" in create(prices=PRICES[:2])
    assert "no category 'Loge'" in create("--price", "Loge=1")
    assert "ISO 4217" in create("--currency", "WON")
    assert "did you mean KRW" in create("--currency", "krw")
    assert "is not a slug" in create(name="Gala Night")
    assert "close after it opens" in create("--opens-at", "2031-01-02", "--closes-at", "2031-01-01")
    assert slug not in [event["slug"] for event in command.json("event", "list")["events"]]


def test_fees_of_giving_tickets_back(command: Command, slug: str) -> None:
    """P7: as many lines as there are options; `none`: buyers cannot."""
    made = command("event", "create", slug, "--plan", HALL, *PRICES, "--fee", "24=50", "--fee", "72.5=10%")
    assert made.returncode == 0, made.stderr
    lines = [{"hours": 72.5, "percent": 10}, {"hours": 24, "percent": 50}]
    assert command.json("event", "show", slug)["fees"] == lines
    assert "10% until 72.5 h before, 50% until 24 h before" in command("event", "show", slug).stdout
    assert command("event", "update", slug, "--name", "Gala").returncode == 0
    assert command.json("event", "show", slug)["fees"] == lines
    assert command("event", "update", slug, "--fee", "none").returncode == 0
    assert command.json("event", "show", slug)["fees"] == []


def test_the_books_of_a_sale_without_buyers(command: Command, slug: str) -> None:
    """P8: the heading is there, and what cannot be read is said."""
    assert command("event", "create", slug, "--plan", HALL, *PRICES).returncode == 0
    done = command("payments", "export", "--event", slug, "--from", "2026-01-01")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith("at,kind,state,event,reservation,order,provider")
    assert len(done.stdout.splitlines()) == 1
    assert "no such event" in refused(command("payments", "export", "--event", "nowhere"))
    backwards = command("payments", "export", "--from", "2026-05-02", "--to", "2026-05-01")
    assert (backwards.returncode, backwards.stdout) == (2, ""), "no books of a time that there is not"
    assert "not before" in backwards.stderr


def test_lines_of_the_log_are_no_part_of_an_answer(command: Command) -> None:
    """R7: who reads `--json`, or a CSV file, by a program reads that alone."""
    done = command("payments", "compare", "--json", ONSALE_PAYMENT="simulator:kcp", ONSALE_LOG_LEVEL="info")
    assert [one["code"] for one in json.loads(done.stdout)["comparisons"]] == ["no_list"]
    assert "code=no_list" in done.stderr


def test_a_slug_is_used_once(command: Command, slug: str) -> None:
    assert command("event", "create", slug, "--plan", HALL, *PRICES).returncode == 0
    assert "exists already" in refused(command("event", "create", slug, "--plan", HALL, *PRICES))


@pytest.mark.parametrize(
    "arguments",
    [("messages", "dead", "retry", "9" * 30), ("event", "show", "\udcff"), ("payments", "export", "--event", "\udcff")],
)
def test_a_value_that_cannot_be_kept_is_refused_in_one_line(command: Command, arguments: tuple[str, ...]) -> None:
    """R6: one line, and no trace."""
    assert "cannot be kept" in refused(command(*arguments))


def test_unknown_events_are_refused(command: Command) -> None:
    for verb in ("open", "close", "show"):
        said = refused(command("event", verb, "nowhere"))
        assert said == "onsale: There is no such event: `onsale event list` shows the events that there are"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("event", "create", "x", "--plan", "/no/such/file", "--price", "A=1"), "No such file"),
        (("event", "create", "x", "--plan", "/", "--price", "A=1"), "directory"),
        (("event", "create", "x", "--plan", str(HALL), "--price", "VIP"), "Category=amount"),
        (("event", "create", "x", "--plan", str(HALL), "--price", "VIP=12.50"), "Category=amount"),
        (("event", "create", "x", "--plan", str(HALL), "--price", "VIP=-1"), "Category=amount"),
        (("event", "create", "x", "--plan", str(HALL), "--price", "VIP=1", "--price", "VIP=2"), "two prices"),
        (("event", "create", "x", "--plan", str(HALL), *PRICES, "--opens-at", "tomorrow"), "2026-05-01T20:00"),
        (("event", "create", "x", "--plan", str(HALL), *PRICES, "--max-seats", "0"), "max-seats"),
        (("event", "create", "x", "--plan", str(HALL), *PRICES, "--fee", "soon=1"), "HOURS=PERCENT"),
        (("event", "create", "x", "--plan", str(HALL), *PRICES, "--fee", "1=101"), "0 to 100"),
        (("event", "update", "x", "--fee", "1=1", "--fee", "1=2"), "named twice"),
        (("serve", "--crowd", "10"), "--demo"),
        (("event", "sell", "x"), "sell"),
        (("removal", "add", "x", "--visitor", ""), "no visitor's id"),
        (("removal", "add", "x", "--visitor", "v_somebody"), "no visitor's id"),
        (("diagnose", "--event", "\udcff"), "no text"),
        (("diagnose", "--event", "x", "--visitor", "a\x07"), "no text"),
        (("diagnose", "--event", "x", "--seat", "-1"), "seat"),
        (("diagnose", "--event", "x", "--seat", "9999999999"), "seat"),
    ],
)
def test_wrong_usage_is_explained(arguments: tuple[str, ...], said: str) -> None:
    done = onsale_here(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_plan_check_sums_up_a_good_plan() -> None:
    done = onsale_here("plan", "check", HALL)
    assert done.returncode == 0, done.stderr
    assert "1231 seats, 6 zones, 62 rows" in done.stdout
    assert "850  Kategorie II" in done.stdout
    summary = json.loads(onsale_here("plan", "check", HALL, "--json").stdout)
    assert (summary["ok"], summary["seats"], summary["zones"]["Block E"]) == (True, 1231, 163)


def test_plan_check_lists_every_error(tmp_path: Path) -> None:
    plan = json.loads(HALL.read_text())
    plan["zones"][0]["rows"][0]["seats"][0]["category"] = "Loge"
    plan["zones"][0]["rows"][0]["seats"][1]["seat_guid"] = "D-14-3"
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps(plan))
    done = onsale_here("plan", "check", broken)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"{broken}: zones[0].rows[0].seats[0].category: there is no category 'Loge' "
        "(there are: 'Kategorie I', 'Kategorie II', 'VIP')",
        f"{broken}: zones[0].rows[0].seats[2].seat_guid: 'D-14-3' is also the seat_guid of zones[0].rows[0].seats[1]",
        f"onsale: {broken} is not a valid seat plan: 2 errors",
    ]
    told = json.loads(onsale_here("plan", "check", broken, "--json").stdout)
    assert (told["ok"], len(told["errors"]), told["more"]) == (False, 2, 0)


def test_plan_check_warns_of_what_concerns_the_drawing_alone() -> None:
    """V5: with its place, on stderr; the plan is good."""
    plan, place = HALL.parent / "plans" / "dup_labels.json", "zones[0].rows[0].seats[1].seat_number"
    done = onsale_here("plan", "check", plan)
    assert done.returncode == 0
    [warned] = done.stderr.splitlines()
    assert warned.startswith(f"{plan}: warning: {place}: ")
    told = json.loads(onsale_here("plan", "check", plan, "--json").stdout)
    assert [one["at"] for one in told["warnings"]] == [place]


def test_a_hundred_megabytes_of_nesting_are_one_error(tmp_path: Path) -> None:
    nested = tmp_path / "nested.json"
    nested.write_bytes(b"[" * 100_000_000)
    done = onsale_here("plan", "check", nested)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 2
    assert "64 MB" in done.stderr


def test_every_command_has_help() -> None:
    for arguments in ((), ("event",), ("plan",), ("event", "create"), ("plan", "check"), ("serve",)):
        done = onsale_here(*arguments, "--help")
        assert done.returncode == 0, done.stderr
        assert "Usage: onsale" in done.stdout
    assert onsale_here("--version").stdout.startswith("onsale 0.")


def test_commands_start_engines_that_keep_what_was_made(tmp_path: Path) -> None:
    """No server, no URLs: each command starts the embedded engines, and the last one to go stops them."""
    folder = {"ONSALE_DATA": str(tmp_path / "data")}
    made = onsale("event", "create", "kept", "--plan", HALL, *PRICES, **folder)
    assert made.returncode == 0, made.stderr
    listed = onsale("event", "list", **folder)
    assert listed.stdout.startswith("kept  "), listed.stderr
    assert not (tmp_path / "data" / "postgres" / "postmaster.pid").exists()


@pytest.mark.parametrize(("mode", "seconds"), [("", 5.0), ("fixed", 0.0), ("load", 5.0)])
def test_a_shell_that_is_not_told_the_limits_mode_calls_no_cap_left_behind(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, mode: str, seconds: float
) -> None:
    """R7: servers that follow the load renew it; `--fix` from a shell without their setting would let everybody in."""
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    monkeypatch.setenv("REDIS_URL", settings.redis_url)
    monkeypatch.setenv("ONSALE_ACTIVE_LIMIT_MODE", mode)
    monkeypatch.setattr("cli.runtime.log_to_stderr", lambda settings: None)  # of a process of its own

    async def told(runtime: Runtime) -> float:
        return runtime.diagnose._here.cap_seconds

    assert look_at_runtime(told) == seconds


def test_diagnose_starts_and_makes_nothing(tmp_path: Path) -> None:
    """R7: no engine, no schema, no data folder; and `--json` prints JSON only."""
    folder = {"ONSALE_DATA": str(tmp_path / "data")}
    done = onsale("diagnose", "--event", "gala", "--json", **folder)
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert told["cause"] == "postgres_away"
    assert "`onsale serve` starts it" in told["findings"][0]["detail"]
    assert "redis" in [one["step"] for one in told["findings"]]
    assert set(told["reply"]) == {"en", "ko"}
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"DATABASE_URL": "postgresql://u:secret@127.0.0.1:1/x"}, "check DATABASE_URL"),
        ({"DATABASE_URL": "mysql://u:secret@127.0.0.1/x"}, "only postgresql://"),
        ({"DATABASE_URL": "secret"}, "DATABASE_URL is not an address"),
        ({"DATABASE_URL": "postgresql://u:secret@127.0.0.1:port/x"}, "DATABASE_URL is not an address"),
        ({"WORKERS": "many"}, "WORKERS is not valid"),
    ],
)
def test_a_broken_address_is_one_line_without_the_password(settings: dict[str, str], said: str) -> None:
    line = refused(onsale_here("event", "list", **{"REDIS_URL": "redis://127.0.0.1:1", **settings}))
    assert said in line
    assert "secret" not in line
