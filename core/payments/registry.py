"""Every payment provider there is: one line each (P4). Whatever lists providers reads them here.

A further provider is a package beside `toss` with the modules `composition`, `codes` and `settings`, a line below,
its tests and a section of `docs/going-live.md`: CONTRIBUTING.md has the steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Final

from core.payments.provider_package import ProviderPackage

_ALL: Final = (
    ProviderPackage(
        "toss",
        "Toss Payments",
        ("toss_client_key", "toss_secret"),
        titles={"ko": "토스페이먼츠"},
        played=True,
        played_script="v2/standard",
    ),
    ProviderPackage(
        "kcp",
        "NHN KCP",
        ("kcp_site_code", "kcp_certificate", "kcp_private_key"),
        played=True,
        played_script="plugin/kcp_spay_hub.js",
    ),
    ProviderPackage(
        "portone",
        "PortOne",
        ("portone_client_key", "portone_channel_key", "portone_secret"),
        titles={"ko": "포트원"},
        played=True,
        played_script="v2/browser-sdk.js",
        languages={"en": "EN_US", "ko": "KO_KR"},
    ),
    ProviderPackage("stripe", "Stripe", ("stripe_secret",), played=True, languages={"en": "en", "ko": "ko"}),
)

#: By name, in the order in which they are told of.
PROVIDERS: Final[Mapping[str, ProviderPackage]] = {one.name: one for one in _ALL}

#: Those that the payment simulator plays; the first is meant where none is named.
PLAYED: Final = tuple(one.name for one in _ALL if one.played)


def title_in(language: str, provider: str) -> str:
    """What buyers who read `language` call the provider."""
    package = PROVIDERS[provider]
    return package.titles.get(language, package.title)


def window_language(provider: str, language: str) -> str:
    """What the provider's window calls one of ours (`core/languages.py`); its first one for what is none of them."""
    known = PROVIDERS[provider].languages
    return known.get(language) or next(iter(known.values()))


def shops_fault_codes(provider: str) -> frozenset[str]:
    """Codes by which a provider refuses the shop and not the buyer (P9): `MISCONFIGURED` of its `codes` module. None of
    a name that is no provider's (any more).
    """
    if provider not in PROVIDERS:
        return frozenset()
    found: frozenset[str] = import_module(f"core.payments.{provider}.codes").MISCONFIGURED
    return found
