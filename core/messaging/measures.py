"""What the event side measures, under Prometheus' naming rules; `web/metrics.py` serves them."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

OUTBOX_UNSENT = Gauge("onsale_outbox_unsent_rows", "Outbox rows not sent yet", multiprocess_mode="mostrecent")
OUTBOX_AGE = Gauge(
    "onsale_outbox_oldest_seconds", "Age of the oldest outbox row not sent yet", multiprocess_mode="mostrecent"
)
RELAYED = Counter("onsale_events_relayed_total", "Outbox rows handed over to the bus", ["bus"])
DEFERRED = Counter("onsale_events_deferred_total", "Outbox rows that the bus did not take at once", ["bus"])
CONSUMED = Counter(
    "onsale_events_consumed_total",
    "Events by consumer and outcome: done, repeated, passed, failed, away",
    ["consumer", "outcome"],
)
DEAD = Counter("onsale_dead_letters_total", "Messages given up", ["consumer"])
LATENESS = Histogram(
    "onsale_event_delivery_seconds",
    "From a reservation's change to a consumer's effect",
    ["consumer"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600),
)
CONSUMER_LAG = Gauge(
    "onsale_consumer_lag_messages",
    "Messages on the topic that a consumer group has not done yet",
    ["consumer"],
    multiprocess_mode="mostrecent",
)
