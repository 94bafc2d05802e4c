"""What the simulator and the adapter agree on where PortOne is played. Without PortOne's SDK, which takes half a second
to load: every web process has the simulator's routes, few have PortOne."""

from __future__ import annotations


def played_channel(store: str) -> str:
    """The channel key of the simulator's one channel, of the store id that it plays."""
    return f"channel-key-{store}"
