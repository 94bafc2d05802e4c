"""What Prometheus sees of payment (S30). Every metric object of the room is here."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

CALLS = Counter(
    "onsale_payment_calls_total",
    "Calls to payment providers by what became of them",
    ["provider", "operation", "outcome"],
)
SECONDS = Histogram(
    "onsale_payment_call_seconds",
    "How long calls to payment providers take",
    ["provider", "operation"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 10, 15),
)
TIMEOUTS = Counter(
    "onsale_payment_timeouts_total", "Calls that a payment provider did not answer in time", ["provider"]
)
ERRORS = Counter(
    "onsale_payment_errors_total", "Calls that failed by the provider's or the network's fault", ["provider", "code"]
)
UNDER_WAY = Gauge("onsale_payments_under_way", "Charges being made by this process", multiprocess_mode="livesum")
CIRCUIT = Gauge(
    "onsale_payment_circuit_state",
    "1 for the state that this process sees a provider's circuit in",
    ["provider", "state"],
    multiprocess_mode="livemax",
)
CHANGES = Counter(
    "onsale_payment_circuit_changes_total",
    "Changes of a provider's circuit that this process made",
    ["provider", "from_state", "to_state"],
)
NOT_PERMITTED = Counter("onsale_payment_not_permitted_total", "Charges that an open circuit kept back", ["provider"])
SHARED = Gauge(
    "onsale_payment_circuit_shared",
    "1 while the processes share what they learn of a provider, 0 while Redis is away",
    ["provider"],
    multiprocess_mode="livemin",
)
