"""Holds, what one buyer may have, and seats that are given back."""

from __future__ import annotations

from typing import Literal

from core.settings_group import Group, setting


class SeatSettings(Group):
    # Seats
    seat_guard: Literal["atomic", "lock", "optimistic"] = setting("atomic", "which guard grants holds", row="S4")
    hold_seconds: float = setting(300, "a hold's length when an event names none", unit="s", row="S3", gt=0)
    hold_extensions: int = setting(1, "how often a visitor may extend a hold", unit="times", ge=0)
    max_seats: int = setting(4, "seats of one visitor when an event names no number", unit="seats", ge=1)
    hoarding_baskets: float = setting(
        2,
        "what a visitor may hold without buying: so many full baskets, each for a whole hold, its extensions and the time "
        "to pay; then a pause. A purchase clears it; 0: no limit",
        unit="baskets",
        row="F5",
        ge=0,
    )
    hoarding_visitors: float = setting(
        32, "the same for a network: as much as so many visitors; 0: no limit", unit="visitors", row="F5", ge=0
    )
    cool_down_seconds: float = setting(
        600, "how long who has held too much without buying begins no new basket", unit="s", row="F5", gt=0
    )
    return_seconds: float = setting(
        30,
        "seats that are given back are on the map again after a random time up to this, so that nobody can hand them over; "
        "while somebody on the waiting list wishes for them they are not. 0: at once",
        unit="s",
        row="F5",
        ge=0,
        le=600,
    )
    offer_seconds: float = setting(
        1800,
        "seats that are given back are kept for so long for whom the waiting list offers them to; then for the next",
        unit="s",
        row="F10",
        ge=10,
        le=7 * 24 * 3600,
    )
    waiting_list_places: int = setting(
        200, "places on the waiting list of a sale that one network has, at most; 0: any number", row="F10", ge=0
    )
    email_tags_at: str = setting(
        "gmail.com,outlook.com,hotmail.com,live.com,icloud.com,fastmail.com,proton.me",
        "providers at which what follows a `+` in an address is the buyer's own: without it, it is one address for the "
        "seats of a buyer; comma separated",
        row="F3",
    )
    email_dots_at: str = setting(
        "gmail.com,proton.me", "providers at which dots in an address do not count; comma separated", row="F3"
    )
    lock_wait_seconds: float = setting(1, "a seat lock is waited for this long", unit="s", row="S1", gt=0, le=3)
    lock_lease_seconds: float = setting(2, "a seat lock frees itself after this long", unit="s", row="S1", gt=0)
    optimistic_attempts: int = setting(5, "tries of the optimistic guard before it says `taken`", row="S4", ge=1)
    board_coalesce_ms: float = setting(
        50, "seat changes are gathered for this long at most before they are sent", unit="ms", row="D5", gt=0
    )
