"""The sale page's Content-Security-Policy where a captcha is set: our own sources, and what its widget needs (F4).

What each service needs is from its own documents; another service gets its script's origin.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from web.security import CONTENT_SECURITY_POLICY

#: Host of the widget's script -> directive -> sources.
_NEEDS: Final = {
    # https://developers.cloudflare.com/turnstile/reference/content-security-policy/
    "challenges.cloudflare.com": {
        "script-src": "https://challenges.cloudflare.com",
        "frame-src": "https://challenges.cloudflare.com",
    },
    # https://docs.hcaptcha.com/#content-security-policy-settings
    "js.hcaptcha.com": dict.fromkeys(
        ("script-src", "frame-src", "style-src", "connect-src"), "https://hcaptcha.com https://*.hcaptcha.com"
    ),
    # https://developers.google.com/recaptcha/docs/faq
    "www.google.com": {
        "script-src": "https://www.google.com/recaptcha/ https://www.gstatic.com/recaptcha/",
        "frame-src": "https://www.google.com/recaptcha/ https://recaptcha.google.com/recaptcha/",
    },
    "www.recaptcha.net": {
        "script-src": "https://www.recaptcha.net/recaptcha/ https://www.gstatic.cn/recaptcha/ "
        "https://www.gstatic.com/recaptcha/",
        "frame-src": "https://www.recaptcha.net/recaptcha/",
    },
}


def with_captcha(script: str) -> str:
    """The policy's header for a page that shows the widget of this `script`."""
    parts = urlsplit(script)
    origin = f"{parts.scheme}://{parts.netloc}"
    needs = dict(_NEEDS.get(parts.hostname or "", dict.fromkeys(("script-src", "frame-src"), origin)))
    policy = []
    for directive in CONTENT_SECURITY_POLICY.split("; "):
        name = directive.partition(" ")[0]
        policy.append(f"{directive} {needs.pop(name)}" if name in needs else directive)
    return "; ".join([*policy, *(f"{name} {sources}" for name, sources in needs.items())])
