"""What Prometheus is told of the live channels of this process."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

CHANNELS = Gauge("onsale_channels", "Open live channels", ["event"], multiprocess_mode="livesum")
WATCHERS = Gauge(
    "onsale_channels_watching", "Live channels that get the seat changes", ["event"], multiprocess_mode="livesum"
)
MESSAGES = Counter("onsale_channel_messages_total", "Messages received from browsers", ["type"])
DELIVERIES = Counter("onsale_channel_deliveries_total", "Frames written to browsers by a broadcast")
PLACES_SENT = Counter("onsale_queue_places_sent_total", "`queue` messages sent to waiting browsers")
FANOUT = Histogram(
    "onsale_fanout_seconds",
    "One broadcast, from its first to its last browser (s)",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
SLOW_CLOSED = Counter("onsale_channels_closed_slow_total", "Channels closed because the browser did not keep up")
REFUSED_FULL = Counter("onsale_channels_refused_full_total", "Channels refused because the process has all it may have")
SENT_AWAY = Counter("onsale_channels_sent_away_total", "Channels told when to come again, because many came at once")
RESYNCS = Counter("onsale_feed_resyncs_total", "Times that a feed fetched its state anew", ["feed", "cause"])
SUBSCRIPTION_DROPS = Counter("onsale_subscription_drops_total", "Lost Redis pub/sub connections")
BEATS = Counter("onsale_beats_written_total", "Signs of life written to Redis")
