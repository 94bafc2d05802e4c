"""What Toss Payments' error codes prove. The code decides, never the HTTP status: PROVIDER_ERROR is a 400 as well.

Sources, read for this table: https://docs.tosspayments.com/reference/error-codes (confirm, look-up, cancel),
https://docs.tosspayments.com/sdk/v2/error-codes (the window) and
https://docs.tosspayments.com/guides/using-api/idempotency-key (keys of requests). The answer to a call with a
code that is in no set here is "unknown": Toss Payments adds codes without notice, and a new one must never lose
anybody's money.
"""

from __future__ import annotations

from typing import Final

#: The card, the account or their issuer said no. No money was taken.
DECLINED: Final = frozenset(
    {
        "REJECT_CARD_PAYMENT",
        "REJECT_CARD_COMPANY",
        "REJECT_ACCOUNT_PAYMENT",
        "REJECT_TOSSPAY_INVALID_ACCOUNT",
        "INVALID_REJECT_CARD",
        "INVALID_STOPPED_CARD",
        "INVALID_CARD_LOST_OR_STOLEN",
        "INVALID_CARD_NUMBER",
        "INVALID_CARD_EXPIRATION",
        "INVALID_PASSWORD",
        "INVALID_ACCOUNT_INFO_RE_REGISTER",
        "RESTRICTED_TRANSFER_ACCOUNT",
        "BELOW_MINIMUM_AMOUNT",
        "EXCEED_MAX_AMOUNT",
        "EXCEED_MAX_PAYMENT_AMOUNT",
        "EXCEED_MAX_DAILY_PAYMENT_COUNT",
        "EXCEED_MAX_ONE_DAY_AMOUNT",
        "EXCEED_MAX_MONTHLY_PAYMENT_AMOUNT",
        "EXCEED_MAX_AUTH_COUNT",
        "EXCEED_MAX_ONE_DAY_WITHDRAW_AMOUNT",
        "EXCEED_MAX_ONE_TIME_WITHDRAW_AMOUNT",
        "EXCEED_MAX_CARD_INSTALLMENT_PLAN",
        "INVALID_CARD_INSTALLMENT_PLAN",
        "NOT_SUPPORTED_INSTALLMENT_PLAN_CARD_OR_MERCHANT",
        "NOT_SUPPORTED_MONTHLY_INSTALLMENT_PLAN",
        "NOT_ALLOWED_POINT_USE",
        "NOT_AVAILABLE_BANK",
        "NOT_AVAILABLE_PAYMENT",
        "FDS_ERROR",
        "PAY_PROCESS_CANCELED",
        "PAY_PROCESS_ABORTED",
    }
)

#: Of a confirmation: the key is not this order's, or its ten minutes are over. No money was taken, and it is no refusal
#: of anybody's card. The last three are what nonsense in place of a key can bring about.
WRONG_KEY: Final = frozenset(
    {
        "NOT_FOUND_PAYMENT_SESSION",
        "NOT_FOUND_PAYMENT",
        "EXPIRED_PAYMENT",
        "INVALID_REQUEST",
        "FORBIDDEN_REQUEST",
        "UNAPPROVED_ORDER_ID",
    }
)

#: "Try again in a moment." Nothing says whether money was taken, so the order is asked for before anything else.
TEMPORARY: Final = frozenset(
    {
        "PROVIDER_ERROR",
        "CARD_PROCESSING_ERROR",
        "FAILED_INTERNAL_SYSTEM_PROCESSING",
        "COMMON_ERROR",
        "FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING",
        "UNKNOWN_PAYMENT_ERROR",
    }
)

#: HTTP status of more calls than Toss Payments takes at a time (100 a minute of each kind with test keys).
TOO_MANY: Final = 429

#: Refused at the door for a mistake in our installation: no charge was tried, and an operator must act.
MISCONFIGURED: Final = frozenset(
    {
        "INVALID_API_KEY",
        "UNAUTHORIZED_KEY",
        "INCORRECT_BASIC_AUTH_FORMAT",
        "INVALID_AUTHORIZE_AUTH",
        "NOT_FOUND_TERMINAL_ID",
        "INVALID_UNREGISTERED_SUBMALL",
        "NOT_REGISTERED_BUSINESS",
        "NOT_AVAILABLE_PAYMENT_BY_MERCHANT",
        "INVALID_IDEMPOTENCY_KEY",
    }
)

#: Of a window, or of the script that opens it: the shop's keys, its contract, or what its page has asked for.
WINDOW_MISCONFIGURED: Final = frozenset(
    {
        "INVALID_CLIENT_KEY",
        "INSECURE_KEY_USAGE",
        "NOT_SUPPORTED_WIDGET_KEY",
        "NOT_SUPPORTED_API_INDIVIDUAL_KEY",
        "NOT_SUPPORTED_METHOD",
        "NOT_SUPPORTED_PROMISE",
        "V1_METHOD_NOT_SUPPORTED",
        "NOT_REGISTERED_REDIRECT_URL",
        "INCORRECT_SUCCESS_URL_FORMAT",
        "INCORRECT_FAIL_URL_FORMAT",
        "INVALID_SUCCESS_URL",
        "INVALID_URL",
        "INVALID_PARAMETERS",
        "INVALID_CUSTOMER_KEY",
        "INVALID_ORDER_ID",
        "INVALID_ORDER_NAME",
        "INVALID_AMOUNT_VALUE",
        "INVALID_AMOUNT_CURRENCY",
        "BELOW_ZERO_AMOUNT",
    }
)

#: The order was confirmed before (perhaps by us, and the answer was lost): the look-up has the truth.
ALREADY_PROCESSED: Final = "ALREADY_PROCESSED_PAYMENT"

#: The same idempotency key is being worked on right now. The outcome is that one's, and not known yet.
IN_PROGRESS: Final = "IDEMPOTENT_REQUEST_PROCESSING"

#: A refund of all that was made before.
ALREADY_CANCELLED: Final = frozenset({"ALREADY_CANCELED_PAYMENT", "ALREADY_REFUND_PAYMENT"})

#: There is no such order.
NOT_FOUND: Final = frozenset({"NOT_FOUND_PAYMENT", "NOT_FOUND"})

#: There is less left of the charge than is to be given back: a part of it was given back before, perhaps by us.
MORE_THAN_LEFT: Final = frozenset({"NOT_CANCELABLE_AMOUNT", "EXCEED_CANCEL_AMOUNT"})

#: In the address of a window that ended without an authorisation: the buyer left it.
CLOSED_WINDOW: Final = frozenset({"PAY_PROCESS_CANCELED", "USER_CANCEL"})

#: There as well: no refusal of the buyer's card. Any other code is one, those that are in no set here too: no money can
#: have moved in a window that brought no key.
#: (DUPLICATED_ORDER_ID: the order was paid, or given back, before; the next attempt has another number.)
NO_REFUSAL: Final = (
    CLOSED_WINDOW | MISCONFIGURED | WINDOW_MISCONFIGURED | WRONG_KEY | TEMPORARY | {"DUPLICATED_ORDER_ID"}
)
