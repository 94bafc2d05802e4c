"""What is the shop's to mend (P9): told from what the latest attempts ended with; pure.

A provider that refuses our key, or another account's, answers every buyer alike: one such answer to us is enough,
until a payment goes through again. What a buyer's browser brings is another matter, keys that are not their order's and
windows that ended with such a code: a few visitors can forge as many as they like, so only many visitors, and half of
all attempts, say that it is us (a clock, a session that ends too early, a client key).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

#: Attempts of one provider that are looked at, and how old they may be.
LATEST: Final = 20
MINUTES: Final = 15
#: Visitors whose keys were all refused, before it is not theirs.
VISITORS: Final = 5
#: Before the code of an attempt whose window ended, by the word of the buyer's browser, for what is the shop's to mend.
WINDOW: Final = "window:"


@dataclass(frozen=True, slots=True)
class Ended:
    """One of the latest attempts. `ours`: the provider told us what is the shop's to mend; `brought`: a buyer's browser
    brought a key that the provider does not know, or such a code of a window.
    """

    provider: str
    visitor: str
    code: str | None
    approved: bool
    ours: bool
    brought: bool


@dataclass(frozen=True, slots=True)
class Fault:
    """`failed` of the `of` latest attempts at `provider` ended with `code`."""

    provider: str
    code: str
    failed: int
    of: int


def faults(attempts: Sequence[Ended]) -> list[Fault]:
    """`attempts`: the newest first. At most one fault a provider."""
    found = []
    for provider in dict.fromkeys(one.provider for one in attempts):
        latest = [one for one in attempts if one.provider == provider][:LATEST]
        since = next((index for index, one in enumerate(latest) if one.approved), len(latest))
        ours = [one for one in latest[:since] if one.ours]
        refused = [one for one in latest if one.brought and not one.approved]
        many = len({one.visitor for one in refused}) >= VISITORS and 2 * len(refused) >= len(latest)
        if ours:
            found.append(Fault(provider, ours[0].code or "unknown", len(ours), len(latest)))
        elif many:
            found.append(Fault(provider, refused[0].code or "unknown", len(refused), len(latest)))
    return found
