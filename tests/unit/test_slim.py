"""What an open channel waits with does what asyncio's own does, in a tenth of the memory (E1)."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc

import pytest

from web.slim import Gate, Mailbox


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_letters_come_in_their_order_before_and_after_they_are_waited_for() -> None:
    box: Mailbox[int] = Mailbox()
    box.put_nowait(1)
    box.put_nowait(2)
    assert (box.qsize(), box.empty()) == (2, False)
    assert [await box.get(), await box.get()] == [1, 2]
    assert box.empty()
    reader = asyncio.create_task(box.get())
    await turns()
    box.put_nowait(3)
    box.put_nowait(4)
    assert await reader == 3
    assert await box.get() == 4


async def test_a_reader_who_gives_up_takes_nothing() -> None:
    box: Mailbox[int] = Mailbox()
    first = asyncio.create_task(box.get())
    await turns()
    first.cancel()
    box.put_nowait(1)
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await box.get() == 1
    # Cancelled in the same turn in which something came.
    second = asyncio.create_task(box.get())
    await turns()
    box.put_nowait(2)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    assert await box.get() == 2


async def test_a_gate_lets_through_all_who_wait_when_it_opens() -> None:
    gate = Gate()
    assert await gate.wait()
    gate.clear()
    waiting = [asyncio.create_task(gate.wait()) for _ in range(3)]
    await turns()
    assert (gate.is_set(), [task.done() for task in waiting]) == (False, [False] * 3)
    waiting[0].cancel()
    await turns()
    gate.clear()  # twice is as once, whoever waits
    gate.set()
    gate.set()
    assert await asyncio.gather(*waiting[1:]) == [True, True]
    assert waiting[0].cancelled()
    gate.clear()
    again = asyncio.create_task(gate.wait())
    await turns()
    assert not again.done(), "it can be closed again"
    gate.set()
    assert await again


async def test_they_keep_a_tenth_of_what_asyncios_keep() -> None:
    def bytes_of(make: type[object]) -> int:
        gc.collect()
        tracemalloc.start()
        kept = [make() for _ in range(100)]
        size = tracemalloc.get_traced_memory()[0] // len(kept)
        tracemalloc.stop()
        return size

    assert bytes_of(Mailbox) < bytes_of(asyncio.Queue) / 10
    assert bytes_of(Gate) < bytes_of(asyncio.Event) / 10
