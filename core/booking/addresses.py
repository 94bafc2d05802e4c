"""Which e-mail addresses are one buyer's: what an address is counted under (F3). Pure.

`kim+1@gmail.com`, `K.I.M@googlemail.com` and `kim@gmail.com` reach one mailbox. Providers that give everybody such
spellings are named in the settings; at all others an address is its own, whatever is in it: a shop that guesses wrong
makes one buyer of two people.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from typing import Final

# Names of one provider's mailboxes.
_SAME_DOMAIN: Final = {
    "googlemail.com": "gmail.com",
    "protonmail.com": "proton.me",
    "pm.me": "proton.me",
    "me.com": "icloud.com",
    "mac.com": "icloud.com",
}


@dataclass(frozen=True, slots=True)
class Addresses:
    """`tags`: providers at which everything from a `+` on is the buyer's own; `dots`: at which dots do not count."""

    tags: frozenset[str] = field(default_factory=frozenset)
    dots: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def named(cls, tags: str, dots: str) -> Addresses:
        """The rules for the domains that the settings name, separated by commas."""
        return cls(_domains(tags), _domains(dots))

    def key(self, email: str) -> str:
        """What the address is counted under. The key of a key is itself; no two mailboxes share one, as far as their
        providers say.
        """
        local, _, domain = unicodedata.normalize("NFKC", email.strip()).casefold().rpartition("@")
        domain = _ascii(domain)
        domain = _SAME_DOMAIN.get(domain, domain)
        if domain in self.tags:
            local = local.split("+")[0] or local
        if domain in self.dots:
            local = local.replace(".", "") or local
        return f"{local}@{domain}"


def masked(email: str) -> str:
    """Enough to know one's own address by, and nothing for anybody else: `k***@e***.com`."""
    local, _, domain = email.rpartition("@")
    name, dot, top = domain.rpartition(".")
    return f"{local[:1]}***@{name[:1]}***{dot}{top}"


def _domains(text: str) -> frozenset[str]:
    named = (_ascii(name.strip().casefold()) for name in text.split(",") if name.strip())
    return frozenset(_SAME_DOMAIN.get(name, name) for name in named)


def _ascii(domain: str) -> str:
    """`예.한국` and its ASCII form are one domain; what has none stays as it is."""
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return domain
