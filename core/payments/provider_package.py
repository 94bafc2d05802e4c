"""What is known of a provider without loading its code, and what all adapters are made from."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from core.payments.gateway import ContentSources


@dataclass(frozen=True, slots=True)
class Limits:
    """Of the calls to one provider. Times in seconds, `charges` in calls under way."""

    connect: float
    read: float
    charges: int


@dataclass(frozen=True, slots=True)
class Played:
    """Where the simulator plays a provider: `api` for the server; `page` and the window's `script` for the buyer's
    browser (perhaps relative).
    """

    api: str
    page: str
    script: str
    client_key: str
    secret: str


@dataclass(frozen=True, slots=True)
class ProviderPackage:
    """`name` in settings, URLs, metrics and the database; `title`: what people call it, `titles` where one of our
    languages has another word; `needed`: settings without which a real one cannot be asked. `played`: the simulator has
    it; `played_script`: where below its page it has the window's script, which the balancer lets through
    (deploy/haproxy.cfg). `languages`: what its window calls ours, where it is told the buyer's.
    """

    name: str
    title: str
    needed: tuple[str, ...]
    titles: Mapping[str, str] = field(default_factory=dict)
    played: bool = False
    played_script: str = ""
    languages: Mapping[str, str] = field(default_factory=dict)


def played_keys(secret_key: str, provider: str) -> tuple[str, str]:
    """The client key and the secret of a played provider: the shop's own, so that nobody else confirms there (P5)."""
    made = hmac.new(secret_key.encode(), f"paysim:{provider}".encode(), hashlib.sha256).hexdigest()
    return f"test_ck_{made[:24]}", f"test_sk_{made[24:56]}"


def environment(provider: str, kind: str, account: str) -> str:
    """`PaymentGateway.environment`: `kind` is test, live or played; of an account nothing can be told from the hash."""
    digest = hashlib.sha256(f"{provider}\n{kind}\n{account}".encode()).hexdigest()
    return f"{kind}:{digest[:16]}"


def origin_of(url: str) -> tuple[str, ...]:
    """As a Content-Security-Policy takes it; nothing for an address at the shop's own origin."""
    parts = urlsplit(url)
    return (f"{parts.scheme}://{parts.netloc}",) if parts.netloc else ()


def sources_with(script: str, theirs: ContentSources) -> ContentSources:
    """`theirs`, and the origin of a window's script that a setting takes from elsewhere: so does what it opens."""
    origin = origin_of(script)
    if not origin or any(fnmatchcase(origin[0], known) for known in theirs.script):
        return theirs
    return ContentSources(
        script=theirs.script + origin,
        connect=theirs.connect + origin,
        frame=theirs.frame + origin,
        form=theirs.form + origin,
        image=theirs.image + origin,
        style=theirs.style + origin,
    )
