"""What is the shop's to mend (P9): told from what the latest attempts ended with; pure.

A provider that refuses our key, or another account's, answers every buyer alike: one such answer is enough, until a
payment goes through again. Keys that are not their order's are another matter: a few visitors can forge as many as they
like, so only many visitors, and half of all attempts, say that it is us (a clock, a session that ends too early).
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


@dataclass(frozen=True, slots=True)
class Ended:
    """One of the latest attempts. `ours`: it ended with a code that is the shop's to mend; `wrong_key`: with a key that
    the provider does not know.
    """

    provider: str
    visitor: str
    code: str | None
    approved: bool
    ours: bool
    wrong_key: bool


@dataclass(frozen=True, slots=True)
class Fault:
    """`failed` of the `of` latest attempts at `provider` ended with `code`."""

    provider: str
    code: str
    failed: int
    of: int

    @property
    def detail(self) -> str:
        return f"{self.provider}: {self.failed} of the last {self.of} payments ended with {self.code}"


def faults(attempts: Sequence[Ended]) -> list[Fault]:
    """`attempts`: the newest first. At most one fault a provider."""
    found = []
    for provider in dict.fromkeys(one.provider for one in attempts):
        latest = [one for one in attempts if one.provider == provider][:LATEST]
        since = next((index for index, one in enumerate(latest) if one.approved), len(latest))
        ours = [one for one in latest[:since] if one.ours]
        refused = [one for one in latest if one.wrong_key and not one.approved]
        many = len({one.visitor for one in refused}) >= VISITORS and 2 * len(refused) >= len(latest)
        if ours:
            found.append(Fault(provider, ours[0].code or "unknown", len(ours), len(latest)))
        elif many:
            found.append(Fault(provider, refused[0].code or "unknown", len(refused), len(latest)))
    return found
