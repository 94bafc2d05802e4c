"""Bodies of the calls about access codes; `web/schemas.py` says how such classes are read."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from core.venue.codes import MOST_USES
from web.schemas import Asked, ResponseBody, UtcTime

#: Codes that one answer may carry.
MOST_MADE = 100_000

_Group = Annotated[str, Field(min_length=1, max_length=60, description="the group's name, which a phase names")]


class MakeCodes(Asked):
    group: _Group
    count: int = Field(ge=1, le=MOST_MADE)
    uses: int = Field(1, ge=1, le=MOST_USES, description="purchases that each is good for")


class RevokeCodes(Asked):
    group: _Group | None = Field(None, description="all of this group")
    codes: list[Annotated[str, Field(min_length=1, max_length=100)]] | None = Field(
        None, min_length=1, max_length=1000, description="these"
    )


class CodeGroupOf(ResponseBody):
    name: str
    uses: int = Field(description="purchases that each code is good for")
    made_at: UtcTime
    codes: int
    revoked: int
    spent: int = Field(description="purchases that were made with them")


class CodeGroups(ResponseBody):
    groups: list[CodeGroupOf] = Field(description="the oldest first")


class ImportedCodes(ResponseBody):
    added: int = Field(description="how many are new")
    known: int = Field(description="how many are not: in the file twice, or there before")


class RevokedCodes(ResponseBody):
    revoked: int
