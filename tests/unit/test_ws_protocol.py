"""uvicorn's WebSocket protocol as we build on it: what an open channel keeps."""

from __future__ import annotations

from typing import Any, cast

import uvicorn
from starlette.websockets import WebSocket
from uvicorn.server import ServerState
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from web.ws_protocol import FrameProtocol


async def test_the_handshake_is_forgotten_by_all_who_hold_it() -> None:
    """Starlette's WebSocket has the list of headers too, for as long as the channel is open."""

    async def nothing(*given: Any) -> Any:
        raise AssertionError("nobody calls")

    config = uvicorn.Config(lambda scope: None, ws=FrameProtocol, log_config=None)
    protocol = FrameProtocol(config, ServerState(), {})
    scope: Any = {"type": "websocket", "headers": [(b"cookie", b"visitor=v-1"), (b"origin", b"https://sale.test")]}
    protocol.scope = scope
    protocol.request = Request("/ws/events/summer", Headers([("Cookie", "visitor=v-1")]))
    asked = protocol.request.headers
    protocol.response = Response(101, "Switching Protocols", Headers([("Upgrade", "websocket")]))
    websocket = WebSocket(scope, nothing, nothing)
    held = cast(Any, websocket.headers)._list
    assert websocket.headers["origin"] == "https://sale.test"

    protocol.forget_handshake()
    assert len(held) == 2, "there is no channel yet"

    protocol.handshake_complete = True
    protocol.forget_handshake()
    assert (held, scope["headers"], len(asked)) == ([], [], 0)
    assert not any((protocol.request, protocol.response))
