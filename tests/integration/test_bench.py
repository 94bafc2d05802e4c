"""The benchmarks do what they say that they measure: small runs; what they find is not judged here."""

from __future__ import annotations

import pytest

from bench import fan_out, guards, holds, purchases, reservations
from bench.measure import Figure, Round, best_cpu, best_wall, table
from bench.resp import BareClient, command
from core.embedded import Engines
from core.runtime import Runtime
from core.settings import Settings


def test_a_ratio_is_of_the_best_rounds() -> None:
    ours, limit = [Round(10, 2.0, 1.0), Round(10, 1.0, 0.5)], [Round(40, 2.0, 1.0), Round(30, 2.0, 2.0)]
    assert (best_wall(ours), best_cpu(ours), best_wall(limit)) == (10.0, 20.0, 20.0)
    figure = Figure("things", best_wall(ours), "/s", best_wall(limit), "bare things", aim=0.5)
    assert figure.ratio == 0.5
    assert figure.met
    assert not Figure("things", 9.0, "/s", 20.0, "bare things", aim=0.5).met
    assert Figure("memory", 9.0, "KiB").met
    assert "| things | 10.00 /s | 20.00 (bare things) | 0.50  | 0.50 | met |" in table([figure])


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


async def test_purchases(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
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
