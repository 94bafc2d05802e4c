"""One error tree. Whatever a caller can cause is an `OnsaleError` with a stable `code`, an HTTP `status`, a
sentence that says what to do, and data. `web/problems.py` turns it into an RFC 9457 problem response and
`realtime` into a `refused` or `problem` message; nothing else needs to know of either.
"""

from __future__ import annotations

from typing import Any, ClassVar


class OnsaleError(Exception):
    """Base of all errors that a caller is told of.

    `detail` is one plain sentence for the reader; `data` is merged into the problem response as members of its own.
    """

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong"

    def __init__(self, detail: str | None = None, *, retry_after: float | None = None, **data: Any) -> None:
        self.detail = detail or self.title
        self.retry_after = retry_after
        self.data = data
        super().__init__(self.detail)


class InvalidRequest(OnsaleError):
    code, status, title = "invalid_request", 422, "The request is not valid"


class Malformed(InvalidRequest):
    """Not even the form is right: no JSON, no `Idempotency-Key`, not `application/json`."""

    status = 400


class TooLarge(OnsaleError):
    code, status, title = "too_large", 413, "The request's body is too large"


class CrossSite(OnsaleError):
    code, status, title = "cross_site", 403, "This call came from another site: open the sale page itself"


class NoVisitor(OnsaleError):
    code, status, title = "no_visitor", 401, "Open the sale page, or POST /api/visitors, first"


class SignInRequired(OnsaleError):
    code, status, title = "sign_in_required", 401, "This call needs the operator token, or a session of the console"


class Forbidden(OnsaleError):
    code, status, title = "forbidden", 403, "This is not the operator token"


class NotFound(OnsaleError):
    code, status, title = "not_found", 404, "There is nothing here"


class EventNotFound(NotFound):
    code, title = "event_not_found", "There is no such event"


class ReservationNotFound(NotFound):
    code, title = "reservation_not_found", "There is no such reservation"


class FindingNotFound(NotFound):
    code, title = "finding_not_found", "There is no such finding of the comparison with the provider"


class EventExists(OnsaleError):
    code, status, title = "event_exists", 409, "An event with this slug exists already"


class SaleNotOpen(OnsaleError):
    code, status, title = "sale_not_open", 403, "The sale has not opened yet"


class CodeRequired(OnsaleError):
    code, status, title = "code_required", 403, "This part of the sale is for those who have a code: give yours"


class CodeNotValid(OnsaleError):
    code, status, title = "code_not_valid", 403, "This code opens nothing here now: check it, and when it counts"


class CodeUsed(OnsaleError):
    code, status, title = "code_used", 403, "This code has been used already"


class QuotaReached(OnsaleError):
    """Carries `phase`."""

    code, status, title = (
        "quota_reached",
        409,
        "The seats of this part of the sale are gone: the next part may have more",
    )


class ReopenTooLate(OnsaleError):
    code, status, title = "reopen_too_late", 409, "This sale cannot be opened any more"


class SaleClosed(OnsaleError):
    code, status, title = "sale_closed", 410, "The sale is closed"


class ProofRequired(OnsaleError):
    """Carries `challenge` (in ALTCHA's format), `captcha` (`site_key`, `script`) where one is set, or both: either
    will do.
    """

    code, status, title = (
        "proof_required",
        403,
        "Many places are taken from this network: solve the challenge, then join again with the solution",
    )

    def __init__(self, challenge: dict[str, Any] | None, captcha: dict[str, str] | None = None) -> None:
        carried: dict[str, Any] = {"challenge": challenge, "captcha": captcha}
        super().__init__(**{name: value for name, value in carried.items() if value is not None})


class NotInQueue(OnsaleError):
    """Carries `reason` where it is known why: session, heartbeat, left, removed or closed."""

    code, status, title = "not_in_queue", 404, "You are not in the queue: join it first"


class NotActive(OnsaleError):
    code, status, title = "not_active", 403, "It is not your turn: join the queue and wait to be let in"


class Removed(OnsaleError):
    """Carries `until`."""

    code, status, title = "removed", 403, "The organiser has taken you out of this sale"


class NetworkTooWide(OnsaleError):
    """Carries `widest`, the shortest prefix that is taken."""

    code, status, title = "network_too_wide", 422, "This network is too wide: name a smaller one"


class SeatTaken(OnsaleError):
    """Carries `seats`: the ordinals that were refused, or the first of them that are known. Where a process knew it
    without asking Redis also `board`, `{epoch, version}`: the board's version at which it was so.
    """

    code, status, title = "seat_taken", 409, "Just taken by somebody else: pick another seat"

    def __init__(self, seats: list[int], detail: str | None = None, *, board: tuple[int, int] | None = None) -> None:
        super().__init__(detail, seats=seats)
        self.seats = seats
        if board is not None:
            self.data["board"] = {"epoch": board[0], "version": board[1]}


class NotTogether(OnsaleError):
    """Carries `largest`, the most seats together of what was asked for, and `alternatives`: wishes that can be met."""

    code, status, title = "not_together", 409, "There are not so many seats together: take fewer, or other seats"

    def __init__(self, largest: int, alternatives: list[dict[str, Any]]) -> None:
        super().__init__(largest=largest, alternatives=alternatives)
        self.largest = largest
        self.alternatives = alternatives


class LeavesSingleSeat(OnsaleError):
    """Carries `seats`: the ordinals that would be left over."""

    code, status, title = "leaves_single_seat", 409, "A single seat would be left over: take it as well, or leave two"

    def __init__(self, seats: list[int]) -> None:
        super().__init__(seats=seats)
        self.seats = seats


class TooManySeats(OnsaleError):
    """Carries `max`: how many seats one buyer may have, held, being paid for and bought."""

    code, status, title = "too_many_seats", 422, "More seats than one buyer may have"

    @classmethod
    def of_buyer(cls, most: int) -> TooManySeats:
        """Judged by PostgreSQL over all purchases. It does not say whether they are the visitor's or the address's, nor
        how many: who types somebody's address learns nothing more than that.
        """
        return cls(f"At most {most} seats for one buyer, over all purchases: let some go", max=most)


class CoolDown(OnsaleError):
    """`retry_after` is the end of the pause, in seconds from now."""

    code, status, title = (
        "cool_down",
        429,
        "Seats were held for a long time here and not bought: others are given a chance, wait before you pick again",
    )


class NoSuchSeat(OnsaleError):
    code, status, title = "no_such_seat", 422, "There is no such seat in this event"


class SeatNotHeld(OnsaleError):
    code, status, title = "seat_not_held", 409, "Nobody holds this seat"


class NoSuchProvider(OnsaleError):
    code, status, title = "no_such_provider", 422, "There is no payment provider of this name"


class CurrencyNotTaken(OnsaleError):
    code, status, title = "currency_not_taken", 422, "No payment provider of this shop takes this currency"


class PaymentOrderFirst(InvalidRequest):
    """The old way: the browser's key came with the order. No provider works like that."""

    def __init__(self) -> None:
        super().__init__(
            "payment_key is not taken any more: the order comes first. Send the reservation without it, then open the "
            "payment.page of the answer"
        )


class WindowOver(OnsaleError):
    code, status, title = "window_over", 409, "The time to pay for these seats is over: pick seats again"


class WindowNotOurs(OnsaleError):
    """Carries `reason`, and `page`: the payment page's address."""

    code, status, title = (
        "window_not_ours",
        409,
        "What came back from the window is not for this order: nothing was charged, open the payment page again",
    )


class NoAttemptsLeft(OnsaleError):
    code, status, title = "no_attempts_left", 409, "No further try to pay for these seats is left: pick seats again"


class PaymentPaused(OnsaleError):
    code, status, title = "payment_paused", 429, "Several payments failed in a row: wait a minute, then try again"


class RefundChanged(OnsaleError):
    """Carries `refunded`: what was given back by now, in minor units."""

    code, status, title = "refund_changed", 409, "Money was given back since you looked: look again, then decide"


class RefundTooLarge(OnsaleError):
    code, status, title = "refund_too_large", 422, "More than what is left of this payment"


class NotRefundable(OnsaleError):
    code, status, title = "not_refundable", 409, "Nothing was paid for this reservation, or all of it is given back"


class NotOnList(NotFound):
    code, title = "not_on_list", "You have no place in this waiting list"


class AlreadyOnList(OnsaleError):
    code, status, title = (
        "already_on_list",
        409,
        "You have a place in this waiting list: leave it before you wish for something else",
    )


class TooManyPlaces(OnsaleError):
    code, status, title = "too_many_places", 429, "Your network has as many places in this waiting list as it may have"


class OfferOver(OnsaleError):
    code, status, title = "offer_over", 410, "This offer is over: its seats go to the next in the list"


class OfferTaken(OnsaleError):
    code, status, title = "offer_taken", 409, "These seats are being paid for, or paid, in another browser already"


class HoldNotExtendable(OnsaleError):
    code, status, title = "hold_not_extendable", 409, "The time for these seats was extended already"


class HoldExpired(OnsaleError):
    code, status, title = "hold_expired", 409, "The time for these seats ran out: pick seats again"


class NoSeatsHeld(OnsaleError):
    code, status, title = "no_seats_held", 422, "You hold no seats: pick seats first"


class PaymentInProgress(OnsaleError):
    code, status, title = "payment_in_progress", 409, "Your payment is under way: wait for its result"


class KeyReused(OnsaleError):
    code, status, title = "idempotency_key_reused", 409, "This Idempotency-Key was used for a different request"


class NotCancellable(OnsaleError):
    code, status, title = "not_cancellable", 409, "This reservation cannot be cancelled any more"


class NotConfirmed(OnsaleError):
    code, status, title = "not_confirmed", 409, "Only what is paid for has a ticket that can be mailed again"


class MailedOften(OnsaleError):
    code, status, title = (
        "mailed_often",
        429,
        "This e-mail was sent again already: look among the unwanted ones, or wait before you ask once more",
    )


class MailImpossible(OnsaleError):
    code, status, title = (
        "mail_impossible",
        503,
        "The e-mail with the ticket cannot be written at the moment: nothing was charged, your seats are kept",
    )


class NotMended(OnsaleError):
    code, status, title = "not_mended", 409, "It was not mended: nothing is lost, try again"


class PaymentUnavailable(OnsaleError):
    code, status, title = (
        "payment_unavailable",
        503,
        "Payment is not available at the moment: your seats are kept, try again",
    )


class TooManyRequests(OnsaleError):
    code, status, title = "too_many_requests", 429, "Too many requests: wait a moment"


class StoreUnavailable(OnsaleError):
    code, status, title = "store_unavailable", 503, "The sale is interrupted for a moment: nothing was lost, try again"


class OutcomeUnknown(StoreUnavailable):
    """A write was sent, its answer was lost, and it could not be read back: it may have been done (R5).

    Every other refusal means that nothing was changed. `until_ms`, Redis' time: from then on what was sent to Redis and
    has not been done by then is not done any more; 0 where no such time is known.
    """

    code, title = (
        "outcome_unknown",
        "There was no answer in time: it may have been done. Look before you repeat it; the same call does it once",
    )

    def __init__(self, detail: str | None = None, *, retry_after: float | None = None, until_ms: int = 0) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.until_ms = until_ms


class PlanInvalid(OnsaleError):
    """Carries `errors`, a list as `core/venue/plan_problems.py` makes it, and `more`: how many are not listed."""

    code, status, title = "plan_invalid", 422, "The seat plan is not valid"


class PictureUnusable(OnsaleError):
    code, status, title = "picture_unusable", 422, "The picture cannot be used"


class PictureNotFound(OnsaleError):
    code, status, title = "picture_not_found", 404, "There is no such picture"


class StartupError(Exception):
    """The process cannot start; the message is the one line that an operator reads."""
