"""Which call or page a request is for: one look-up for each part of its address, however many there are.

Starlette tries one pattern after the other, which for the calls of a sale was a tenth of what they cost. What is not
found here (a file, an unknown address, a method that the address does not take) is Starlette's as before; what is
found is what Starlette would have found, which a test shows for every call.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


class Answering(Protocol):
    """What answers a request for this path."""

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def respond(self) -> Callable[[Request], Awaitable[Response]]: ...


@dataclass(frozen=True, slots=True)
class Page:
    """One method of a route of Starlette's."""

    method: str
    path: str
    respond: Callable[[Request], Awaitable[Response]]


def pages_of(routes: Iterable[Route]) -> list[Page]:
    """Routes whose endpoints are asynchronous functions of a request."""
    return [
        Page(method, one.path, one.endpoint) for one in routes for method in (one.methods or ()) if method != "HEAD"
    ]


Found = tuple[Answering, Mapping[str, str]]
#: Addresses that are remembered: the calls of a sale are asked for by everybody, all of them by a few addresses.
_MOST: Final = 512
_LONGEST: Final = 128


@dataclass(slots=True)
class _Node:
    """What may come after the parts so far: a part with a name of its own before one that is a parameter."""

    fixed: dict[str, _Node] = field(default_factory=dict)
    parameters: dict[str, _Node] = field(default_factory=dict)
    methods: dict[str, Answering] = field(default_factory=dict)


class CallTable:
    """`find` the call. One whose parameter is less than a whole part of the address (`{digest}.jpg`) is left out."""

    def __init__(self, endpoints: Iterable[Answering]) -> None:
        self._root = _Node()
        self._found: dict[tuple[str, str], Found] = {}
        for endpoint in endpoints:
            self._add(endpoint)

    def _add(self, endpoint: Answering) -> None:
        parts = endpoint.path.split("/")[1:]
        if any("{" in part and not _is_parameter(part) for part in parts):
            return
        node = self._root
        for part in parts:
            below = node.parameters if _is_parameter(part) else node.fixed
            node = below.setdefault(part.strip("{}"), _Node())
        node.methods[endpoint.method] = endpoint
        if endpoint.method == "GET":
            node.methods["HEAD"] = endpoint

    def find(self, method: str, path: str) -> Found | None:
        """The call and the parameters in its path, which are nobody's to change; None: ask Starlette."""
        asked = (method, path)
        found = self._found.get(asked)
        if found is None:
            found = self._look(method, path)
            if found is not None and len(path) <= _LONGEST:
                if len(self._found) >= _MOST:
                    self._found.clear()  # made up by somebody, most of them: those of the sale are found again at once
                found = self._found[asked] = found[0], MappingProxyType(dict(found[1]))
        return found

    def _look(self, method: str, path: str) -> Found | None:
        parameters: dict[str, str] = {}
        node = _node_of(self._root, path.split("/"), 1, parameters)
        endpoint = node.methods.get(method) if node is not None else None
        return (endpoint, parameters) if endpoint is not None else None


def _is_parameter(part: str) -> bool:
    return part.startswith("{") and part.endswith("}") and ":" not in part


def _node_of(node: _Node, parts: list[str], at: int, parameters: dict[str, str]) -> _Node | None:
    if at == len(parts):
        return node if node.methods else None
    part = parts[at]
    below = node.fixed.get(part)
    if below is not None:
        found = _node_of(below, parts, at + 1, parameters)
        if found is not None:
            return found
    if part:
        for name, below in node.parameters.items():
            found = _node_of(below, parts, at + 1, parameters)
            if found is not None:
                parameters[name] = part
                return found
    return None
