"""What Stripe's error codes prove, without its SDK: https://docs.stripe.com/error-codes."""

from __future__ import annotations

from typing import Final

#: For the shop to mend. A wrong key has no code of its own: `calls_http.is_ours` goes by the kind of the error.
MISCONFIGURED: Final = frozenset({"api_key_expired", "platform_api_key_expired", "secret_key_required"})
