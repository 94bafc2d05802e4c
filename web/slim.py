"""What waits in a connection's protocol, without what an open channel never needs: twenty thousand of them keep it.

asyncio's queue has three deques and an event, 3 KiB when empty, and its event a deque of 0.7 KiB. These serve one task
that waits, which is all that a channel has.
"""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

T = TypeVar("T")


class Mailbox(Generic[T]):
    """As much of `asyncio.Queue` as one reader needs."""

    __slots__ = ("_items", "_reader")

    def __init__(self) -> None:
        self._items: list[T] = []
        self._reader: asyncio.Future[None] | None = None

    def put_nowait(self, item: T) -> None:
        self._items.append(item)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def get(self) -> T:
        """The oldest. Only one task may wait for it; one that is cancelled has taken nothing."""
        while not self._items:
            reader = self._reader = asyncio.get_running_loop().create_future()
            try:
                await reader
            finally:
                if self._reader is reader:
                    self._reader = None
        return self._items.pop(0)

    def empty(self) -> bool:
        return not self._items

    def qsize(self) -> int:
        return len(self._items)


class Gate:
    """As much of `asyncio.Event` as a writer needs who waits for a socket to take more; open at first."""

    __slots__ = ("_opened",)

    def __init__(self) -> None:
        self._opened: asyncio.Future[None] | bool = True

    def set(self) -> None:
        opened, self._opened = self._opened, True
        if isinstance(opened, asyncio.Future) and not opened.done():
            opened.set_result(None)

    def clear(self) -> None:
        if self._opened is True:
            self._opened = False

    def is_set(self) -> bool:
        return self._opened is True

    async def wait(self) -> bool:
        """However many tasks wait; one that is cancelled keeps no other from going on."""
        while self._opened is not True:
            if self._opened is False:
                self._opened = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._opened)
        return True
