"""A request whose headers are looked up in a table: a call asks for ten of them, and Starlette reads all for each."""

from __future__ import annotations

import functools
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request


@functools.lru_cache(256)
def _raw(name: str) -> bytes:
    """A header's name as it is sent. Those that are asked for are ours, a few dozen."""
    return name.lower().encode("latin-1")


class GivenHeaders(Headers):
    """The same answers as Starlette's: the first of several with one name."""

    def __init__(self, raw: list[tuple[bytes, bytes]]) -> None:
        super().__init__(raw=raw)
        self._first = dict(reversed(raw))

    def __getitem__(self, key: str) -> str:
        return self._first[_raw(key)].decode("latin-1")

    def get(self, key: str, default: Any = None) -> Any:
        value = self._first.get(_raw(key))
        return default if value is None else value.decode("latin-1")

    def __contains__(self, key: Any) -> bool:
        return _raw(key) in self._first


class GivenRequest(Request):
    """One call's request."""

    _given: GivenHeaders | None = None

    @property
    def headers(self) -> Headers:
        if self._given is None:
            self._given = GivenHeaders(self.scope["headers"])
        return self._given
