"""The front-end's pure modules, run in the browser that they are written for: board, state, back-off, wait, attempts."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from tests.e2e.conftest import Server


@pytest.fixture(scope="module")
async def page(server: Server, chromium: Browser) -> AsyncIterator[Page]:
    page = await chromium.new_page()
    await page.goto(server.url)
    yield page
    await page.close()


async def run(page: Page, module: str, body: str, *arguments: Any) -> Any:
    """`body` is an expression or statements with `m`, the module, and `a`, the arguments."""
    base = re.sub(r"/js/site\.js$", "", await page.evaluate("() => document.querySelector('script[type=module]').src"))
    return await page.evaluate(
        f"async ([base, a]) => {{ const m = await import(base + '/js/{module}'); {body} }}", [base, list(arguments)]
    )


async def test_a_board_plus_counted_changes_is_the_board(page: Page) -> None:
    """Rule 6: snapshot + changes = state; known changes are not applied twice; a gap or a new epoch asks again."""
    result = await run(page, "board.js", """
        const board = new m.Board();
        const before = board.apply({ epoch: 1, version: 1, changes: [[0, 1]] });
        board.load({ epoch: 1, version: 10, states: btoa("\\0\\0\\0\\0") });
        const next = board.apply({ epoch: 1, version: 12, changes: [[0, 1], [1, 2]] });
        const known = board.apply({ epoch: 1, version: 12, changes: [[0, 0]] });
        const overlapping = board.apply({ epoch: 1, version: 13, changes: [[1, 0], [3, 1]] });
        const gap = board.apply({ epoch: 1, version: 15, changes: [[2, 1]] });
        const epoch = board.apply({ epoch: 2, version: 14, changes: [[2, 1]] });
        return { before, next, known, overlapping, gap, epoch, states: [...board.states], counts: board.counts, version: board.version };
    """)  # fmt: skip
    assert result == {
        "before": None, "next": [0, 1], "known": [], "overlapping": [3], "gap": None, "epoch": None,
        "states": [1, 2, 0, 1], "counts": [1, 2, 1, 0], "version": 13,
    }  # fmt: skip


async def test_a_reloaded_board_names_what_differs(page: Page) -> None:
    result = await run(page, "board.js", """
        const board = new m.Board();
        const first = board.load({ epoch: 1, version: 1, states: btoa("\\0\\x01\\x02") });
        const second = board.load({ epoch: 2, version: 1, states: btoa("\\0\\0\\x02") });
        return [first, second, board.soldOut];
    """)  # fmt: skip
    assert result == [None, [1], False]


async def test_close_codes_say_whether_to_come_back(page: Page) -> None:
    result = await run(page, "backoff.js", "return [1000, 1006, 4000, 4003, 4099, 4100, 4105, 4199, 4200].map(m.mayReturn);")
    assert result == [True, True, True, True, True, False, False, False, True]


async def test_back_off_grows_is_jittered_and_bounded(page: Page) -> None:
    least = await run(page, "backoff.js", "return [0, 1, 2, 3, 10, 60].map((n) => m.delay(n, () => 0));")
    most = await run(page, "backoff.js", "return [0, 1, 2, 3, 10, 60].map((n) => m.delay(n, () => 0.999999));")
    assert least == [250] * 6
    assert most == [750, 1250, 2250, 4250, 15250, 15250]


async def test_waits_are_bands_that_hold_the_estimate(page: Page) -> None:
    for eta in [None, 0, 44, 45, 60, 300, 1500, 3600, 7200, 100000]:
        found = await run(page, "wait.js", "return m.band(a[0]);", eta)
        if eta is None:
            assert found is None
        elif eta < 45:
            assert found == {"kind": "soon"}
        else:
            unit = 60 if found["kind"] == "minutes" else 3600
            assert found["from"] * unit <= max(eta, unit), (eta, found)
            assert found["to"] * unit >= eta, (eta, found)
            assert found["from"] < found["to"]


async def test_progress_counts_from_the_first_look(page: Page) -> None:
    assert await run(page, "wait.js", "return [m.progress(10, 10), m.progress(10, 5), m.progress(10, 0), m.progress(0, 0), m.progress(5, 9)];") == [0, 0.5, 1, 1, 0]


STATE = """
    const { initial, reduce, stage, pendingSeats, saleState } = m;
    const event = { status: "open", opens_at: null, closes_at: null, max_seats: 4 };
    const run = (...actions) => actions.reduce(reduce, initial({ slug: "x" }));
    const open = [{ type: "tick", local: 1000 }, { type: "event", event }];
    const inside = [...open, { type: "welcome", state: "active", now: new Date(1000).toISOString() }, { type: "admitted", until: new Date(600000).toISOString(), warning_seconds: 60 }, { type: "board" }];
    const held = { type: "held", id: "", seats: [4, 2], until: new Date(300000).toISOString(), fence: 7, extensions_left: 1 };
"""


async def test_the_way_through_the_sale(page: Page) -> None:
    stages = await run(page, "state.js", STATE + """
        const story = [
          ...open, { type: "welcome", state: "none", now: new Date(1000).toISOString() },
          { type: "queue", number: 9, ahead: 3, waiting: 8, eta: 60, ticket: "T" },
          { type: "admitted", until: new Date(600000).toISOString() }, held, { type: "step", step: "checkout" },
          { type: "submitting" }, { type: "reservation", id: "r", status: "PAYING" }, { type: "reservation", id: "r", status: "CONFIRMED" },
          { type: "reservation", id: "r", status: "PAYING" }, { type: "dismiss" }, { type: "expired", reason: "session" }, { type: "rejoin" },
        ];
        let state = initial({ slug: "x" });
        return story.map((action) => { state = reduce(state, action); return stage(state); });
    """)  # fmt: skip
    assert stages == [
        "loading", "joining", "joining", "waiting", "map", "map", "checkout", "checkout", "paying", "confirmed",
        "confirmed", "map", "out", "joining",
    ]  # fmt: skip


async def test_a_reconnect_keeps_the_basket_until_the_server_has_told(page: Page) -> None:
    """The page does not flicker back to the map in the middle of typing an address."""
    result = await run(page, "state.js", STATE + """
        let state = run(...inside, held, { type: "step", step: "checkout" });
        const steps = [];
        for (const action of [{ type: "welcome", state: "active", now: new Date(2000).toISOString() }, { type: "admitted", until: new Date(600000).toISOString() }, held, { type: "board" }]) {
          state = reduce(state, action);
          steps.push([stage(state), state.basket.seats.length]);
        }
        const gone = run(...inside, held, { type: "welcome", state: "active", now: new Date(2000).toISOString() }, { type: "board" });
        return [steps, stage(gone), gone.basket.seats.length];
    """)  # fmt: skip
    assert result == [[["checkout", 2], ["checkout", 2], ["checkout", 2], ["checkout", 2]], "map", 0]


async def test_requests_are_pending_until_answered(page: Page) -> None:
    result = await run(page, "state.js", STATE + """
        const asked = run(...inside, { type: "sent", id: "a", kind: "hold", seats: [4] }, { type: "sent", id: "b", kind: "hold", seats: [5] });
        const answered = reduce(asked, { ...held, id: "a", seats: [4] });
        const refused = reduce(answered, { type: "refused", id: "b", code: "seat_taken", seats: [5] });
        const broken = reduce(answered, { type: "problem", id: "b", code: "store_unavailable" });
        return [[...pendingSeats(asked, "hold")], [...pendingSeats(answered, "hold")], [...pendingSeats(refused, "hold")], refused.refusal.seats, Object.keys(broken.pending), broken.refusal.code];
    """)  # fmt: skip
    assert result == [[4, 5], [5], [], [5], [], "store_unavailable"]


async def test_another_purchase_of_the_same_visitor_does_not_take_the_page_over(page: Page) -> None:
    result = await run(page, "state.js", STATE + """
        const old = run(...inside, { type: "reservation", id: "old", status: "CANCELLED" });
        const mine = run(...inside, { type: "submitting" }, { type: "reservation", id: "new", status: "FAILED", reason: "declined" }, { type: "reservation", id: "new", status: "PAYING" });
        return [stage(old), stage(mine), mine.reservation.reason];
    """)  # fmt: skip
    assert result == ["map", "failed", "declined"]


async def test_times_open_and_close_the_sale_by_the_servers_clock(page: Page) -> None:
    result = await run(page, "state.js", STATE + """
        const timed = { ...event, status: "before", opens_at: new Date(50000).toISOString(), closes_at: new Date(90000).toISOString() };
        return [0, 49000, 50000, 89000, 90000].map((offset) => saleState(run({ type: "tick", local: 0 }, { type: "event", event: timed }, { type: "offset", now: new Date(offset).toISOString() })));
    """)  # fmt: skip
    assert result == ["before", "before", "open", "open", "closed"]


ATTEMPT = """
    const items = new Map();
    const storage = { getItem: (k) => items.get(k) ?? null, setItem: (k, v) => items.set(k, v), removeItem: (k) => items.delete(k) };
    let count = 0;
    const id = () => `id${(count += 1)}`;
    const attempt = (fence, email, card = "approved") => m.attemptFor(storage, "x", fence, { email, card }, id);
"""


async def test_an_attempt_keeps_its_key(page: Page) -> None:
    """Rule 2: the same seats and the same form are the same attempt, also after a reload; other seats are another."""
    result = await run(page, "attempt.js", ATTEMPT + """
        const one = attempt(7, "a@b.c"), two = attempt(7, "a@b.c"), corrected = attempt(7, "x@y.z"), other = attempt(8, "a@b.c");
        m.forget(storage, "x");
        const fresh = attempt(8, "a@b.c");
        return { same: JSON.stringify(one) === JSON.stringify(two), corrected: corrected.key === one.key, earlier: corrected.earlier.email, email: corrected.body.email, other: other.key !== one.key, fresh: fresh.key !== other.key };
    """)  # fmt: skip
    assert result == {
        "same": True, "corrected": True, "earlier": "a@b.c", "email": "x@y.z", "other": True, "fresh": True,
    }  # fmt: skip


async def test_only_a_refusal_that_proves_it_ends_an_attempt(page: Page) -> None:
    result = await run(page, "attempt.js", "return [400, 403, 408, 409, 422, 429, 500, 503].filter(m.provesNothing);")
    assert result == [400, 403, 422]
