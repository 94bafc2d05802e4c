"""What is gone when Redis has lost one sale, and no other."""

from __future__ import annotations

from core import keys
from core.diagnosis.keys_redis import OF_A_SALE


def sale_keys(slug: str) -> tuple[str, ...]:
    """The keys of one event that may be without an end while it is open; its single seats' keys come to them."""
    return tuple(make(slug) for make in OF_A_SALE if make is not keys.active_cap)
