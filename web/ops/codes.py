"""Access codes of a sale: made, brought along, listed by group, revoked (F7).

What is made is answered once, as a file: nobody can read a code again, neither here nor in the database.
"""

from __future__ import annotations

import asyncio
import io
import tempfile
from contextlib import closing
from typing import IO, Final

from starlette.requests import Request
from starlette.responses import Response

from core.errors import EventNotFound, InvalidRequest, Malformed, TooLarge
from core.venue.codes import read_codes
from web.endpoint import Call, Caller, Endpoint, Parameter, answer
from web.ops.audit import note
from web.ops.codes_schemas import CodeGroupOf, CodeGroups, ImportedCodes, MakeCodes, RevokeCodes, RevokedCodes

#: A file of codes, at most, in bytes: two million lines.
_MOST_FILE: Final = 64 * 1024 * 1024
#: So much of it is kept in memory; the rest is on disk while it is read.
_IN_MEMORY: Final = 1024 * 1024


async def make(call: Call[MakeCodes]) -> Response:
    event, asked = await call.event(), call.body
    made = await call.parts.codes.make(event, asked.group, asked.count, asked.uses)
    call.parts.events.doubt(event.slug)
    await note(
        call.parts.database, call.actor, "codes.make", event.slug, group=asked.group, count=len(made), uses=asked.uses
    )
    headers = {"Content-Disposition": 'attachment; filename="codes.csv"', "Cache-Control": "no-store"}
    # Of two million codes it is too long for the event loop.
    content = await asyncio.to_thread(lambda: "code\r\n" + "".join(f"{code}\r\n" for code in made))
    return Response(content, status_code=201, headers=headers, media_type="text/csv; charset=utf-8")


async def bring(call: Call[None]) -> Response:
    query = call.request.query_params
    declared = call.request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared[:12]) > _MOST_FILE:
        raise TooLarge(limit=_MOST_FILE)
    if call.request.headers.get("content-type", "text/csv").partition(";")[0].strip().lower() != "text/csv":
        raise Malformed("send the file with Content-Type: text/csv")
    event = await call.event()
    group, uses = query.get("group", ""), query.get("uses", "1")
    if not uses.isascii() or not uses.isdigit() or len(uses) > 9:
        raise InvalidRequest("uses: a whole number", errors=[{"at": "uses", "message": "a whole number"}])
    with closing(await _file(call.request)) as file:
        try:
            lines = io.TextIOWrapper(file, encoding="utf-8")
            added = await call.parts.codes.add(event, group, read_codes(lines), int(uses))
        except UnicodeDecodeError:
            raise Malformed("the file is not text in UTF-8") from None
    call.parts.events.doubt(event.slug)
    await note(
        call.parts.database, call.actor, "codes.import", event.slug, group=group, count=added.codes, uses=int(uses)
    )
    return answer(ImportedCodes(added=added.codes, known=added.known))


async def _file(request: Request) -> IO[bytes]:
    """The body, whose end bounds what is taken. Raises TooLarge."""
    file: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed by who reads it
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > _MOST_FILE:
                raise TooLarge(limit=_MOST_FILE)
            file.write(chunk)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


async def groups(call: Call[None]) -> Response:
    event = await call.event()
    found = await call.parts.codes.groups(event.id)
    return answer(
        CodeGroups(
            groups=[
                CodeGroupOf(
                    name=one.name,
                    uses=one.uses,
                    made_at=one.made_at,
                    codes=one.codes,
                    revoked=one.revoked,
                    spent=one.spent,
                )
                for one in found
            ]
        )
    )


async def revoke(call: Call[RevokeCodes]) -> Response:
    event, asked = await call.event(), call.body
    revoked = await call.parts.codes.revoke(event, asked.group, asked.codes)
    call.parts.events.doubt(event.slug)
    await note(call.parts.database, call.actor, "codes.revoke", event.slug, group=asked.group, count=revoked)
    return answer(RevokedCodes(revoked=revoked))


_CODES: Final = "/api/operator/events/{slug}/codes"

ENDPOINTS = (
    Endpoint(
        "GET",
        _CODES,
        groups,
        "The groups of a sale's access codes, and how many were used",
        "operator",
        answer=CodeGroups,
        caller=Caller.OPERATOR,
        refusals=(EventNotFound,),
    ),
    Endpoint(
        "POST",
        _CODES,
        make,
        "Make access codes: the answer is the only copy",
        "operator",
        success=201,
        body=MakeCodes,
        media_type="text/csv",
        caller=Caller.OPERATOR,
        refusals=(EventNotFound,),
    ),
    Endpoint(
        "POST",
        f"{_CODES}/imports",
        bring,
        "Bring along access codes that were made elsewhere: a CSV file, one a line, in its first column",
        "operator",
        answer=ImportedCodes,
        body_type="text/csv",
        most_body=_MOST_FILE,
        caller=Caller.OPERATOR,
        refusals=(EventNotFound, InvalidRequest),
        parameters=(
            Parameter("group", "query", "of this group", {"type": "string"}, required=True),
            Parameter("uses", "query", "purchases that each is good for; 1", {"type": "integer", "minimum": 1}),
        ),
    ),
    Endpoint(
        "POST",
        f"{_CODES}/revocations",
        revoke,
        "Revoke access codes, or all of a group",
        "operator",
        answer=RevokedCodes,
        body=RevokeCodes,
        caller=Caller.OPERATOR,
        refusals=(EventNotFound,),
    ),
)
