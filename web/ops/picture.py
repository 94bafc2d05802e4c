"""An event's picture, brought and taken away by an operator. What anybody sees of it: `web/api_events.py`."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from core.errors import EventNotFound, Malformed, PictureUnusable
from core.process.apart import apart
from core.venue.picture import MOST_BYTES, unpacked
from web.endpoint import Call, Caller, Endpoint, answer, bytes_of
from web.ops.audit import note, tell_sale_changed
from web.ops.new_sale import settings_of
from web.ops.sale_schemas import SaleSettings

_PATH: Final = "/api/operator/events/{slug}/picture"
#: Unpacking what is just within the limits takes two or three; a busy machine gets more.
_SECONDS: Final = 30.0


async def bring(call: Call[None]) -> Response:
    """Pictures are read in a process of their own: a decoder is what hostile files are made for."""
    upload = await bytes_of(call.request, MOST_BYTES)
    if not call.request.headers.get("content-type", "image/").startswith(("image/", "application/octet-stream")):
        raise Malformed("send the picture's file as the body, with a Content-Type such as image/jpeg")
    event = await call.event()
    try:
        made = unpacked(await apart("core.venue.picture:packed_renditions", upload, seconds=_SECONDS))
    except TimeoutError:
        raise PictureUnusable(f"the picture could not be read within {_SECONDS:.0f} s: save it smaller") from None
    changed = await call.parts.events.set_pictures(event.slug, made)
    await tell_sale_changed(call.parts, changed)
    await note(call.parts.database, call.actor, "sale.picture", event.slug, picture=changed.pictures[-1].digest)
    return answer(settings_of(changed))


async def take_away(call: Call[None]) -> Response:
    event = await call.event()
    changed = await call.parts.events.set_pictures(event.slug, ())
    await tell_sale_changed(call.parts, changed)
    await note(call.parts.database, call.actor, "sale.picture", event.slug, picture=None)
    return answer(settings_of(changed))


ENDPOINTS = (
    Endpoint(
        "PUT",
        _PATH,
        bring,
        "Give an event its picture: a JPEG, PNG, WebP or GIF file",
        "operator",
        answer=SaleSettings,
        body_type="image/*",
        most_body=MOST_BYTES,
        caller=Caller.OPERATOR,
        refusals=(EventNotFound, PictureUnusable),
    ),
    Endpoint(
        "DELETE",
        _PATH,
        take_away,
        "Take an event's picture away",
        "operator",
        answer=SaleSettings,
        caller=Caller.OPERATOR,
        refusals=(EventNotFound,),
    ),
)
