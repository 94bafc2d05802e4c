"""What checkout measures, under Prometheus' naming rules; `web/metrics.py` serves them."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

RESERVATIONS = Counter("onsale_reservations_total", "Reservations by the state they came to", ["status", "reason"])
CHECKOUT_SECONDS = Histogram(
    "onsale_checkout_seconds",
    "From the buyer's submit to the reservation's end",
    ["status"],
    buckets=(0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 15, 30, 60, 120, 300, 600, 1200),
)
REFUSED = Counter("onsale_checkout_refused_total", "Submits that made no reservation, by code", ["code"])
UNSURE = Counter("onsale_checkout_unsure_total", "Unknown payment outcomes: left to wait, asked about", ["step"])
UNTOLD = Counter("onsale_results_untold_total", "Ended reservations that Redis could not be told of at once")
REFUNDS = Counter(
    "onsale_refunds_total",
    "Refund attempts by result: done, again (the provider is away), refused; person: operators were asked to look",
    ["result"],
)
