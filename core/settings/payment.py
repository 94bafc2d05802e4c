"""Payment providers, the time to pay, and the circuit of each provider."""

from __future__ import annotations

from typing import Final, Literal

from core.payments.registry import PLAYED, PROVIDERS
from core.settings_group import Group, setting

_NAMES: Final = ", ".join(PROVIDERS)
_TWO_PLAYED: Final = ",".join(PLAYED[:2])


class PaymentSettings(Group):
    # Payment
    payment: str = setting(
        "",
        f"providers in order of preference, comma separated: {_NAMES}; or `simulator`, which plays the first of them, "
        f"`simulator:{_TWO_PLAYED}`, which plays both (no money moves). `onsale serve` wants it set",
        row="P5",
        env="ONSALE_PAYMENT",
        old="ONSALE_PAYMENT_PROVIDERS",
    )
    payment_when_open: Literal["fail_fast", "fallback", "park"] = setting(
        "fail_fast",
        "the first provider's circuit is open, or it refuses to connect: say so at once, offer the next attempt at the "
        "next provider, or keep the authorisation until it answers again",
        row="S25",
    )
    payment_alternative: str = setting(
        "en=the box office;ko=현장 매표소",
        "what buyers are told to use while card payment is away, by language; or one text for all",
        row="S25",
    )
    payment_window_seconds: float = setting(
        420,
        'from "buy" to the end of the time to pay, whatever happens in the provider\'s window: only the time of an outage is added',
        unit="s",
        row="P1",
        ge=5,
        le=540,
    )
    compare_days: float = setting(
        30,
        "once a day the provider's own list of charges is compared so far back (every hour: the last hours)",
        unit="days",
        row="P6",
        gt=0,
        le=365,
    )
    retry_seconds: float = setting(
        60,
        "after a card was declined the seats are kept for this long for another try; 0: free at once",
        unit="s",
        row="P11",
        ge=0,
    )
    simulator_url: str = setting(
        "", "where the payment simulator answers the server; empty: `http://127.0.0.1:<PORT>/paysim`", row="P5"
    )
    simulator_page: str = setting(
        "", "where buyers' browsers find the payment simulator; empty: `/paysim` at the shop's own address", row="P5"
    )
    payment_connect_seconds: float = setting(3, "connect timeout to a provider", unit="s", row="S23", gt=0)
    payment_read_seconds: float = setting(10, "read timeout of a provider", unit="s", row="S23", gt=0)
    payment_retries: int = setting(
        1,
        "further tries of one payment after a temporary error that is proven not to have charged",
        unit="tries",
        row="S23",
        ge=0,
        le=5,
    )
    payment_concurrency: int = setting(200, "payments under way in one process, at most", unit="calls", ge=1)
    payment_deadline_seconds: float = setting(
        600,
        "an outcome still unknown after this long is settled by cancelling at the provider",
        unit="s",
        row="S27",
        gt=0,
    )
    resolver_seconds: float = setting(
        5, "first pause before a provider is asked about an unknown outcome", unit="s", row="S27", gt=0
    )
    claim_seconds: float = setting(
        30, "a process's lease on a payment; then another process may finish it", unit="s", row="S27", gt=0
    )

    # The circuit of each payment provider (names and meaning are Resilience4j's)
    breaker_window: int = setting(
        10, "calls that the failure rate is taken from", unit="calls", row="S24", ge=1, le=1000
    )
    breaker_minimum_calls: int = setting(10, "calls before the rates count", unit="calls", row="S24", ge=1)
    breaker_failure_rate: float = setting(
        50, "the circuit opens at this share of failed calls", unit="%", row="S24", gt=0, le=100
    )
    breaker_slow_seconds: float = setting(8, "a call that takes longer is slow", unit="s", row="S24", gt=0)
    breaker_slow_rate: float = setting(
        100, "the circuit opens at this share of slow calls", unit="%", row="S24", gt=0, le=100
    )
    breaker_timeouts: int = setting(3, "the circuit opens at this many timeouts ...", unit="timeouts", row="S24", ge=1)
    breaker_timeouts_seconds: float = setting(300, "... within this long, ...", unit="s", row="S24", gt=0)
    breaker_timeout_rate: float = setting(
        5, "... when they are this share of the calls in that time", unit="%", row="P10", ge=0, le=100
    )
    breaker_open_seconds: float = setting(
        30, "an open circuit lets nothing through for this long", unit="s", row="S24", gt=0
    )
    breaker_probes: int = setting(
        3, "calls let through to see whether the provider is well again", unit="calls", row="S24", ge=1
    )
    breaker_probe_seconds: float = setting(
        30, "probes that have not all been answered after this long count as failed", unit="s", row="S24", gt=0
    )
