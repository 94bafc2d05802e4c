"""A request whose headers are looked up in a table: a call asks for ten of them, and Starlette reads all for each."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request


class GivenHeaders(Headers):
    """The same answers as Starlette's: the first of several with one name."""

    def __init__(self, raw: list[tuple[bytes, bytes]]) -> None:
        super().__init__(raw=raw)
        self._first = dict(reversed(raw))

    def __getitem__(self, key: str) -> str:
        return self._first[key.lower().encode("latin-1")].decode("latin-1")

    def get(self, key: str, default: Any = None) -> Any:
        value = self._first.get(key.lower().encode("latin-1"))
        return default if value is None else value.decode("latin-1")

    def __contains__(self, key: Any) -> bool:
        return key.lower().encode("latin-1") in self._first


class GivenRequest(Request):
    """One call's request."""

    _given: GivenHeaders | None = None

    @property
    def headers(self) -> Headers:
        if self._given is None:
            self._given = GivenHeaders(self.scope["headers"])
        return self._given
