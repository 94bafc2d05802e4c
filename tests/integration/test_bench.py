"""The benchmarks do what they say that they measure: small runs; what they find is not judged here."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from bench import (
    begin,
    capacity,
    fan_out,
    guards,
    holds,
    memory,
    opening_draw,
    purchases,
    recovery,
    reservations,
    run,
    start,
    subscribers,
)
from bench.bare import Bare, bare
from bench.compare import tree_of
from bench.load import Call, Channel, Job, LoadGenerator, text_frame
from bench.load_arrivals import Paced
from bench.measure import Before, Effort, Figure, Round, TooBusy, best_cpu, best_wall, table
from bench.report import BEFORE, PAGE, PROFILES, SCALING, marks, write
from bench.resp import BareClient, command
from bench.run import ROWS, SERVED, World, world
from bench.scale import scale
from bench.served import HERE, Served, served
from bench.served_row import IDLE
from bench.stores import stores as stores_of_run
from core.booking.statements_postgres import STATEMENTS
from core.embedded import Engines
from core.runtime import Runtime
from core.settings import Settings
from tests.waits import PATIENCE

pytestmark = pytest.mark.usefixtures("patient")


def test_a_ratio_is_of_the_best_rounds() -> None:
    ours, limit = [Round(10, 2.0, 1.0), Round(10, 1.0, 0.5)], [Round(40, 2.0, 1.0), Round(30, 2.0, 2.0)]
    assert (best_wall(ours), best_cpu(ours), best_wall(limit)) == (10.0, 20.0, 20.0)
    figure = Figure("things", best_wall(ours), "/s", best_wall(limit), "bare things", aim=0.5)
    assert figure.ratio == 0.5
    assert figure.met
    assert not Figure("things", 9.0, "/s", 20.0, "bare things", aim=0.5).met
    assert Figure("memory", 9.0, "KiB").met
    assert "| things | 10.00 /s | 20.00 (bare things) | 0.50  | 0.50 of the limit | met |" in table([figure])


def test_an_aim_may_be_in_the_figures_own_unit() -> None:
    """E1: a cost has a most, a rate a least; both are told beside what the limit is."""
    assert Figure("hold", 89.0, "us CPU", 45.0, "bare answer", most=90.0).met
    slow = Figure("hold", 91.0, "us CPU", 45.0, "bare answer", most=90.0)
    assert not slow.met
    assert slow.wanted == "at most 90.00 us CPU"
    assert not Figure("purchases", 299.0, "/s", least=300.0).met
    assert "| MISSED |" in table([slow])


def test_the_table_of_a_run_replaces_the_one_before(tmp_path: Path) -> None:
    """E1: one date and one run; what stands around it stays."""
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- limits -->\nan older table\n<!-- /limits -->\nafter\n")
    write(page, [Figure("hold", 80.0, "us CPU", 45.0, "bare answer", most=90.0)], Effort(3, 0.5))
    text = page.read_text()
    assert "older" not in text
    assert re.search(r"^Run of \d{4}-\d\d-\d\d, .*3 rounds of 0.5 s", text, re.MULTILINE)
    assert "| hold   |            | 80.00 us CPU | 45.00 (bare answer) | 1.78  | at most 90.00 us CPU | met |" in text
    write(page, [Figure("hold over HTTP", 80.0, "us CPU")], Effort())
    assert f"| {BEFORE.date} |" in page.read_text()
    assert f"| hold over HTTP | {BEFORE.figures['hold over HTTP']} | 80.00 us CPU |" in page.read_text()
    assert (text.startswith("before\n"), text.endswith("after\n")) == (True, True)
    page.write_text("no marks")
    with pytest.raises(ValueError, match="no marks"):
        write(page, [], Effort())
    blocks = {PAGE: ("limits", "scale", "interpreters"), SCALING: ("capacity",), PROFILES: ("profiles",)}
    for ours, names in blocks.items():
        assert all(marks(name).search((Path(__file__).parents[2] / ours).read_text()) for name in names)


def test_what_was_before_is_found_by_a_rows_name() -> None:
    """E1: a name may have `*` for what depends on the effort."""
    before = Before("a day", {"calm, * waiting: Redis commands": "2,950 /s"})
    assert before.of("calm, 4,000 waiting: Redis commands") == "2,950 /s"
    assert before.of("calm, 4,000 waiting: Valkey") == ""


@pytest.fixture(scope="module")
def answering() -> Iterator[Bare]:
    with bare() as started:
        yield started


async def test_the_load_generator_sends_each_work_once(answering: Bare) -> None:
    """And says how much of its own core it needed: a generator that is full measures itself."""
    job = Job(answering.port, [Call(answering.call())] * 50 + [Call(answering.call(b"{}"))] * 50, 8, keep=True)
    with LoadGenerator(job) as load:
        result = await asyncio.to_thread(load.run)
    assert result.outcomes == {200: 100}
    assert len(result.took) == len(result.bodies) == 100
    assert all(body.startswith(b'{"seats"') for body in result.bodies)
    assert 0 < result.percentile(0.5) <= result.percentile(0.99)
    assert result.busy > 0
    assert 0 < IDLE < 1


async def test_the_load_generator_opens_each_channel_once(answering: Bare) -> None:
    """Each hears its own answers, frame by frame, however they come together."""
    frames = [text_frame(b"x" * size) for size in (1, 125, 126, 3000)]
    channel = Channel(answering.handshake(), text_frame(b"hello"), b"hello", frames, b"x")
    with LoadGenerator(Job(answering.port, channels=[channel] * 20)) as load:
        assert load.opened.opened > 0
        result = await asyncio.to_thread(load.run)
    assert result.outcomes == {200: 80}


async def test_a_channel_that_is_told_to_come_back_does(answering: Bare) -> None:
    """As browsers do: what counts is until all are in."""
    refuses = answering.handshake().replace(b"GET /ws ", b"GET /closing ")
    channel = Channel(refuses, text_frame(b"hello"), b"hello", [text_frame(b"x")], b"x")
    with LoadGenerator(Job(answering.port, channels=[channel] * 4)) as load:
        assert load.opened.again == 4
        assert (await asyncio.to_thread(load.run)).outcomes == {200: 4}


async def test_the_load_generator_tells_of_other_answers(answering: Bare) -> None:
    nowhere = answering.call().replace(b"GET / ", b"GET /nowhere ")
    with LoadGenerator(Job(answering.port, [Call(nowhere)] * 3, 1)) as load:
        assert (await asyncio.to_thread(load.run)).outcomes == {404: 3}


@pytest.fixture(scope="module")
async def small_world() -> AsyncIterator[World]:
    """Stores of its own: what is measured is served by processes that have another key than the tests' ones."""
    manager = stores_of_run()
    settings, started = await asyncio.to_thread(manager.__enter__)
    try:
        async with world(settings, started) as opened:
            yield opened
    finally:
        await asyncio.to_thread(manager.__exit__, None, None, None)


#: So that one server serves as many of them in a row as it can: starting one costs more than most rows.
_IN_TURN = ("calm", "processes", "purchases", *SERVED, "delivered", "sizes")


@pytest.mark.parametrize("name", _IN_TURN)
async def test_every_row_of_a_served_sale_runs(small_world: World, name: str) -> None:
    """E1: each call ends as the row says (it checks that itself), beside a limit of the same run."""
    await is_measured(small_world, name)


async def is_measured(small_world: World, name: str) -> None:
    figures: list[Figure] = []
    async with asyncio.timeout(PATIENCE):
        while not figures:
            # Beside other tests so small an effort may drown in their noise, of which the row tells.
            with contextlib.suppress(TooBusy):
                figures = await ROWS[name](small_world, Effort(rounds=1, seconds=0.002))
    for figure in figures:
        assert figure.unit in ("us CPU", "ms CPU", "ms", "/s", "s", "/s of CPU", "% CPU", "KB")
        assert figure.limit is None or figure.limit > 0
        # An e-mail's cost is a difference, which the noise of a small run may make nothing of.
        assert figure.value > 0 or figure.name == "a purchase: e-mail"
        assert BEFORE.of(figure.name) or name not in ("watched", "delivered", "sizes")
    limited = [figure for figure in figures if figure.limit is not None]
    assert limited or name == "calm"
    assert all(figure.limit_is for figure in limited)


async def test_scale(small_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """E1: everybody joined, a wave was let in, all channels waited; and what a larger sale needs follows from it.

    How much memory a channel has is not judged here: the server that is there will do.
    """
    monkeypatch.setattr(World, "served_anew", lambda world: nullcontext(world.serve()))
    monkeypatch.setattr(memory, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(subscribers, "_MESSAGES", 20)
    figures = await scale(small_world, visitors=2_000, channels=20, wave=200)
    assert len({figure.name for figure in figures}) == len(figures)
    measured = capacity.Measured.of(figures)
    assert measured.visitor_bytes > 50
    assert measured.open_ms > 0
    assert measured.change_us > 0
    assert "| PostgreSQL's connections" in capacity.page(figures, 2_000_000)


@pytest.mark.parametrize("name", ["outages", "offers"])
async def test_every_row_that_ends_its_server_runs(small_world: World, name: str) -> None:
    """E1, R4, F7: the same of those after which nothing is served."""
    await is_measured(small_world, name)


async def test_recovery_ends_and_tells_what_it_measured(capsys: pytest.CaptureFixture[str]) -> None:
    """R4: what is not served again is told as that, and not killed again; of the others the worst round counts; when
    the time is over no other round begins.
    """
    kills: list[str] = []

    async def recovers() -> recovery.Recovered:
        kills.append("recovers")
        return recovery.Recovered(1.0, 1.0 + len(kills))

    async def stays_away() -> recovery.Recovered:
        kills.append("stays away")
        raise TimeoutError

    kinds = {"one": recovers, "another": stays_away}
    one, another = await recovery.measured(kinds, 3)
    assert kills == ["recovers", "stays away", "recovers", "recovers"]
    assert (one.value, one.limit, one.most, one.met) == (5.0, 1.0, 6.0, True)
    assert "not served" in another.name
    assert not another.met
    assert "another killed: no call is served" in capsys.readouterr().err
    kills.clear()
    await recovery.measured(kinds, 3, within=-1.0)
    assert kills == ["recovers", "stays away"]


async def test_how_soon_a_shop_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """R7: its health answers, and the memory is that of all of its processes, engines among them."""
    monkeypatch.setattr(start, "SETTLE_SECONDS", 0.1)
    help_, healthy, both, alone = await start.start(Effort(rounds=1))
    assert help_.value > 0
    assert healthy.value > 0
    assert min(both.value, alone.value) > 30
    assert all(figure.limit and BEFORE.of(figure.name) for figure in (help_, healthy))
    assert BEFORE.of(both.name)


async def test_calls_at_a_fixed_rate_are_each_answered(answering: Bare) -> None:
    """And timed from the moment in which each was due, also where its connection waits for another answer."""
    with LoadGenerator(Paced(answering.port, [answering.call()] * 40, 400, 3)) as load:
        result = await asyncio.to_thread(load.run)
    assert result.outcomes == {200: 40}
    assert len(result.took) == 40
    assert result.wall >= 39 / 400
    assert 0 < result.percentile(0.5) <= result.percentile(0.99)


async def test_memory_of_this_tree_served_by_another_interpreter(
    small_world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """E1: the one that is named, with all of its processes; here a script that stands for another CPython. Of few
    channels the row says nothing; that all of them wait, it looks at itself.
    """
    monkeypatch.setattr(memory, "COUNTS", (20,))
    monkeypatch.setattr(memory, "LOOK_SECONDS", 0.1)
    other = tmp_path / "python"
    other.write_text(f'#!/bin/sh\nBENCH_OTHER=1 exec {sys.executable} "$@"\n')
    other.chmod(0o755)
    by: list[str | None] = []

    @contextmanager
    def served_by_the_other(settings: Settings, *, changes: Mapping[str, str]) -> Iterator[Served]:
        with served(settings, python=other, changes=changes) as sale:
            by.append(sale.web.environ().get("BENCH_OTHER"))
            yield sale

    monkeypatch.setattr(run, "served", served_by_the_other)
    (figure,) = await ROWS["memory"](small_world, Effort(rounds=1))
    assert figure.unit == "KiB"
    assert figure.limit
    assert by == ["1"]


async def test_the_bare_client_makes_each_call_once(settings: Settings, runtime: Runtime) -> None:
    """Whatever the pipelining: a limit that skips calls would be none."""
    for connections, pipelined in ((3, 1), (2, 16), (1, 7)):
        await runtime.redis.delete("bench:counter")
        client = await BareClient.connect(
            settings.redis_url,
            [command("INCR", "bench:counter")] * 100,
            connections=connections,
            pipelined=pipelined,
            check=lambda reply: isinstance(reply, int),
        )
        await client.run()
        client.close()
        assert await runtime.redis.get("bench:counter") == b"100"


async def test_the_bare_client_tells_of_a_refused_call(settings: Settings) -> None:
    client = await BareClient.connect(
        settings.redis_url, [command("NOSUCHCOMMAND")], connections=1, pipelined=1, check=lambda reply: reply == b"OK"
    )
    with pytest.raises(RuntimeError, match="refused"):
        await client.run()
    client.close()


async def test_holds(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every hold of both sides is granted: the benchmark itself counts the baskets."""
    monkeypatch.setattr(holds, "_HOLDS", 60)
    one_by_one, pipelined = await holds.holds(runtime, rounds=1)
    assert one_by_one.ratio
    assert one_by_one.ratio > 0
    assert pipelined.limit
    assert pipelined.limit > 0


async def test_reservations(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reservations, "_RESERVATIONS", 30)
    (figure,) = await reservations.reservations(runtime, rounds=1)
    assert figure.ratio
    assert figure.ratio > 0


async def test_begin_beside_itself_without_its_guard_and_a_plain_transition(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F3: what counts a buyer's seats is taken out of the limit's statement, and nothing else is."""
    monkeypatch.setattr(begin, "_RESERVATIONS", 10)
    guarded = STATEMENTS["begin"]
    assert [name in begin.without_guard(guarded) for name in ("seats_of_visitor", "phase_takes", "code_is_good")] == [
        False
    ] * 3
    figures = await begin.begin(runtime, rounds=1)
    assert [bool(figure.ratio and figure.ratio > 0) for figure in figures] == [True, True]


def test_what_a_larger_sale_needs() -> None:
    """What one part bears does not hang on the sale; what breaks first stands first; twice the sale needs twice as
    much."""
    measured = capacity.Measured(
        visitor_bytes=200.0, join_us=50.0, beat_us=2.0, channel_kib=30.0, open_ms=1.0, web_beat_us=50.0
    )
    steps = capacity.steps(measured, 2_000_000)
    assert [step.bears for step in steps if not step.wall] == sorted(step.bears for step in steps if not step.wall)
    wall = next(step for step in steps if step.wall)
    assert wall.part == "Valkey's core, of the node that has the event"
    # Of 60% of a core 2,000,000 arrivals take 44.4%, so a beat of 2 us may come each 25.7 s.
    assert "for 2,000,000 a beat of 26 s" in capacity._beyond(measured, 2_000_000, wall)
    assert "arrivals alone" in capacity._beyond(measured, 3_000_000, wall)
    assert "more than this sale has" in capacity._beyond(measured, 1_000_000, wall)
    # 100 processes hear 900 changes a second: 900 x (10 + 99 x 5) us are 45.45% of the core, which beats cannot have.
    told = dataclasses.replace(measured, change_us=10.0, process_us=5.0)
    assert capacity.changes(told, 2_000_000) == pytest.approx(0.4545)
    loaded = next(step for step in capacity.steps(told, 2_000_000) if step.wall)
    assert loaded.bears == pytest.approx((0.6 - 0.4545) / 2e-7)
    assert "for 2,000,000 a beat of 28 s" in capacity._beyond(told, 2_000_000, loaded)
    deaf = dataclasses.replace(measured, process_us=10.0)
    assert "more channels" in capacity._beyond(deaf, 2_000_000, loaded)
    ports = next(step for step in steps if step.part.startswith("ports"))
    assert ports.bears == 13 * 28_232
    memory = next(step for step in steps if step.part == "a web machine's memory")
    assert round(memory.bears) == round(24 * 1024**2 / 30)
    # 20,000 channels a process; the arrivals and beats would do with 32.
    assert capacity.processes(measured, 2_000_000) == 100
    assert capacity.machines(measured, 2_000_000) == 13
    # Of dearer channels the cores decide: 2,222 a second in the mean, four times as many in the busiest one.
    dear = capacity.Measured(200.0, 50.0, 2.0, 30.0, open_ms=10.0, web_beat_us=50.0)
    assert capacity.processes(dear, 2_000_000) == 165
    one, two = (capacity.cost(measured, visitors) for visitors in (2_000_000, 4_000_000))
    assert 1.5 < two["month"] / one["month"] <= 2.0
    assert two["sent"] == 2 * one["sent"]
    # 2,000,000 times 1,200 bytes each 10 s are 864 GB an hour, which is what the balancer charges for here.
    assert one["balancer"] == pytest.approx(0.0225 + 864 * 0.006)


def test_another_commit_is_there_for_a_comparison_and_gone_after_it() -> None:
    with tree_of("HEAD") as tree:
        assert (tree / "cli" / "__main__.py").exists()
    assert not tree.exists()
    listed = subprocess.run(["git", "worktree", "list"], cwd=HERE, capture_output=True, text=True, check=True).stdout
    assert str(tree) not in listed


async def test_draw(runtime: Runtime) -> None:
    """Every entry has its number: the benchmark itself counts them."""
    told, longest = await opening_draw.opening_draw(runtime, entries=200)
    assert told.value > 0
    assert longest.value > 0


async def test_checkout(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both sides confirm every reservation; the benchmark itself counts them."""
    monkeypatch.setattr(purchases, "_PURCHASES", 20)
    (figure,) = await purchases.purchases(runtime, rounds=1)
    assert figure.limit
    assert figure.value > 0


async def test_fan_out(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """A round ends when every byte has arrived at every socket."""
    monkeypatch.setattr(fan_out, "_MESSAGES", 3)
    (figure,) = await fan_out.fan_out(runtime, sockets=20, rounds=1)
    assert figure.ratio
    assert figure.ratio > 0


async def test_guards(settings: Settings, stores: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    """S4: each guard grants each seat once, whoever wants it."""
    for name, value in {"_SEATS": 40, "_WANTED": 3, "_RIVALS": 10, "_PAYS": 0.02}.items():
        monkeypatch.setattr(guards, name, value)
    rows = await guards.guards(settings, stores)
    assert [(row["guard"], row["load"]) for row in rows] == [
        ("atomic", "uncontended"),
        ("atomic", "contended"),
        ("lock", "uncontended"),
        ("lock", "contended"),
        ("optimistic", "uncontended"),
        ("optimistic", "contended"),
        ("lock", "released early"),
        ("lock", "held while paying"),
    ]
    for row in rows[:6]:
        expected = (40, 0) if row["load"] == "uncontended" else (3, 27)
        assert (row["granted"], row["refused"]) == expected
    assert all(row["granted"] == 5 for row in rows[6:])
    assert guards.guards_table(rows).count("\n") == len(rows) + 1
