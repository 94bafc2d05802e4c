"""Bodies of the waiting list's calls (F10)."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import Field

from core.languages import Language
from web.schemas import MOST_SEATS, Asked, MailAddress, ResponseBody, UtcTime


class JoinList(Asked):
    count: int = Field(
        ge=1, le=MOST_SEATS, description="seats that are wanted; they are offered together or not at all"
    )
    category: str | None = Field(None, max_length=200, description="of this category only; else of any")
    email: MailAddress = Field(description="where offers go")
    language: Language | None = Field(None, description="of the e-mails; else the caller's Accept-Language")


class TakeOffer(Asked):
    provider: str | None = Field(
        None, max_length=32, pattern=r"^[a-z0-9]+$", description="which payment provider; else the shop's first"
    )


class OfferOf(ResponseBody):
    seats: list[int] = Field(description="ordinals")
    amount: int = Field(ge=0, description="in the currency's minor unit")
    currency: str
    until: UtcTime = Field(description="then they go to the next in the list")
    take: str = Field(description="POST this path, on any device")
    state: Literal["open", "taken", "passed", "lapsed"]


class PlaceInList(ResponseBody):
    id: UUID
    event: str
    state: Literal["waiting", "offered", "taken", "lapsed", "left"] = Field(
        description="lapsed: an offer's time ended and nobody had answered, the place is gone"
    )
    count: int
    category: str | None
    email: str
    ahead: int = Field(ge=0, description="places before this one")
    joined_at: UtcTime
    offer: OfferOf | None = Field(None, description="the last one that was made")
    now: UtcTime = Field(description="the server's time, for countdowns on machines whose clock is wrong")
    reservation: UUID | None = Field(None, description="what the caller has taken the offer by")
