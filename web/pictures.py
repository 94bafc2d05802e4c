"""Events' pictures as sent: each is read from PostgreSQL once, and the ones asked for last are kept in memory."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import Final

from core.process.once import Once
from core.venue.event_store_postgres import EventStore

#: Bytes: some hundred pictures of lists, or forty of pages.
_KEPT: Final = 16 * 1024 * 1024


class Pictures:
    def __init__(self, events: EventStore, *, most: int = _KEPT) -> None:
        self._events = events
        self._most = most
        self._size = 0
        # Bounded by their bytes and not by their number (core/process/bounded.py).
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._reads = Once[bytes]("picture")

    async def get(self, digest: str) -> bytes:
        """A JPEG file. Raises PictureNotFound, StoreUnavailable."""
        if digest in self._kept:
            self._kept.move_to_end(digest)
            return self._kept[digest]
        content = await self._reads(digest, partial(self._events.picture, digest))
        if digest not in self._kept:
            self._kept[digest] = content
            self._size += len(content)
            while self._size > self._most:
                self._size -= len(self._kept.popitem(last=False)[1])
        return content
