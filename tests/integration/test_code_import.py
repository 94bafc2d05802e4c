"""F7: a CSV of hundreds of thousands of access codes is brought along, streamed: its memory, and what is refused."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from core.embedded import Engines
from core.errors import CodeNotValid
from core.runtime import Runtime, open_runtime
from core.settings import Settings
from core.venue.event import Event, SaleStatus
from core.venue.phase import Phase
from core.waiting_room.place import PlaceState
from tests.booking import rows
from tests.conftest import MakeEvent
from tests.contract.api_client import Api, open_client
from tests.integration.onsale_process import SECRET_KEY, environment
from web.app import create_app

pytestmark = pytest.mark.usefixtures("patient")

#: How many codes, and what they may take in memory beside a file of one line: as strings and their digests a million
#: are some 140 MiB.
FILES = [
    pytest.param(100_000, 10, id="100000"),
    pytest.param(1_000_000, 40, id="million", marks=pytest.mark.chaos),  # half a minute of a core
]
#: A machine that is ten times overloaded gets through as well.
PATIENCE = 800
#: `onsale`, and the most memory that its process ever had. (`ru_maxrss` knows of its parent's as well.)
MEASURED = """
import re, sys
from pathlib import Path
from cli.main import run
try:
    run()
finally:
    print("peak KiB", re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1], file=sys.stderr)
"""


def code(number: int) -> str:
    return f"FAN-{number:07}"


@pytest.fixture
async def event(runtime: Runtime, make_event: MakeEvent) -> Event:
    fans = Phase("fans", datetime.now(UTC) - timedelta(hours=1), None, code_group="fans")
    return await make_event(status=SaleStatus.SCHEDULED, opens_at=None, phases=(fans,))


def brought(settings: Settings, event: Event, file: Path) -> tuple[subprocess.CompletedProcess[str], float]:
    """`onsale code import`, and the most memory that it took, in MiB."""
    stores = {"DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url}
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, "code", "import", event.slug, str(file), "--group", "fans"],
        env=environment(**stores),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    peak = re.search(r"peak KiB (\d+)", done.stderr)
    assert peak, done.stderr
    return done, int(peak[1]) / 1024


@pytest.fixture
async def installed(settings: Settings, stores: Engines) -> AsyncIterator[Runtime]:
    """With the key of the command's installation: another one's digests of a code are others."""
    own = settings.model_copy(update={"secret_key": SecretStr(SECRET_KEY)})
    async with open_runtime(own, stores) as opened:
        yield opened


@pytest.mark.parametrize(("count", "most_mib"), FILES)
async def test_more_codes_than_a_process_would_hold(
    settings: Settings, installed: Runtime, event: Event, tmp_path: Path, count: int, most_mib: int
) -> None:
    """All of them open the sale, those that were there are told, and memory does not grow with the file."""
    one, all_of_them, spoilt = (tmp_path / f"{name}.csv" for name in ("one", "all", "spoilt"))
    one.write_text(f"code,name\n{code(0)},Mina\n")
    with all_of_them.open("w") as lines:
        lines.write("code,name\n")
        lines.writelines(f"{code(number)},fan {number}\n" for number in range(count))
    done, least = brought(settings, event, one)
    assert (done.returncode, done.stdout) == (0, "1 new code of fans\n"), done.stderr
    done, most = brought(settings, event, all_of_them)
    assert (done.returncode, done.stdout) == (0, f"{count - 1} new codes of fans; 1 were known\n"), done.stderr
    assert most - least < most_mib, f"{least:.0f} MiB for one code, {most:.0f} for {count}"

    fresh = await installed.events.fresh(event.slug)
    assert len(await installed.codes.book(fresh)) == count
    for number in (0, 1, 9_999, 10_000, 43_210, count - 1):
        place = await installed.waiting_room.join(fresh, f"v{number}", code=code(number).lower())
        assert place.state is PlaceState.ACTIVE
    with pytest.raises(CodeNotValid):
        await installed.waiting_room.join(fresh, "w", code=code(count))

    # A file whose last lines cannot be codes changes nothing, after all that was written of it before.
    with spoilt.open("w") as lines:
        lines.writelines(f"NEW-{number:07}\n" for number in range(25_000))
        lines.write("no\n\nNEW-0025001\n#\n")
    done, _ = brought(settings, event, spoilt)
    assert done.returncode != 0
    assert "lines 25001 and 25004: a code has 6 to 64 letters and digits; nothing was imported" in done.stderr
    [left] = await rows(installed, "SELECT count(*) FROM codes WHERE event_id = $1", event.id)
    assert left["count"] == count


async def test_a_file_that_is_sent_says_what_was_refused(runtime: Runtime, event: Event) -> None:
    """By line, and with nothing of it imported; then what is left of it, and once more."""
    path = f"/api/operator/events/{event.slug}/codes/imports?group=fans"
    csv = {"content-type": "text/csv"}
    good = [f"{code(number)}\r\n" for number in range(12_000)]
    async with open_client(create_app(runtime, None)) as client:
        operator = Api(client, (await client.get("/openapi.json")).json()).as_operator()
        spoilt = "".join([*good[:10_500], "x\r\n", *good[10_500:], "y\r\n"]).encode()
        told = await operator.refused("POST", path, 422, "invalid_request", content=spoilt, headers=csv)
        assert [one["at"] for one in told["errors"]] == ["line 10501", "line 12002"]
        assert not await rows(runtime, "SELECT FROM codes WHERE event_id = $1", event.id)
        whole = "".join(good).encode()
        for answer in ({"added": 12_000, "known": 0}, {"added": 0, "known": 12_000}):
            sent = await operator.call("POST", path, content=whole, headers=csv, expect=200)
            assert sent.json() == answer
