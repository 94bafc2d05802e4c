"""Pages that are the same for all who open them: drawn and compressed once, until something that they show changes.

In the minute before an opening everybody opens one page, and to draw it costs ten times what a call does.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from core.process.bounded import Bounded
from web.caching import Body
from web.encodings import chosen

#: What surrounds the page, and what is on it.
Shown = tuple[Mapping[str, Any], Mapping[str, Any]]

#: Pages kept: some 30 KB each. The one that was not asked for for longest is forgotten first.
_MOST: Final = 128


class DrawnPages:
    """`body(name, shows, draw)`: what `draw` made when it was asked for first."""

    def __init__(self) -> None:
        self._kept: Bounded[Hashable, tuple[Shown, Body]] = Bounded(_MOST)

    def body(self, name: Hashable, shows: Shown, draw: Callable[[], str]) -> Body:
        """`shows`: where the page stands and what it is made of, compared by `==`; its first part has its address."""
        key = (name, shows[0]["here"])
        known = self._kept.get(key)
        body = known[1] if known is not None and known[0] == shows else Body(draw().encode(), "", "text/html")
        # Also where it is equal: what is compared the next time is the same object.
        self._kept.keep(key, (shows, body))
        return body


def sent(request: Request, body: Body, status: int, headers: Mapping[str, str]) -> Response:
    """The page in what the caller takes; never stored by anybody in between, so it needs no name."""
    said = {**headers, "Vary": f"{headers['Vary']}, Accept-Encoding"}
    return body.answered(chosen(request.headers.get("accept-encoding")), status, said)
