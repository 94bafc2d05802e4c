"""The payment page's Content-Security-Policy: the shop's own sources, and what one provider's window needs (P1).

Only this one document may load a provider's script; every other page keeps the policy of `web/security.py`.
"""

from __future__ import annotations

from core.payments.gateway import ContentSources


def content_security_policy(sources: ContentSources, *, own_form_targets: tuple[str, ...] = ()) -> str:
    """The header's value. `own_form_targets`: origins that the page itself POSTs a window's form to."""
    directives = {
        "default-src": ("'none'",),
        "script-src": ("'self'", *sources.script),
        "style-src": ("'self'", *sources.style),
        "img-src": ("'self'", "data:", *sources.image),
        "font-src": ("'self'",),
        "connect-src": ("'self'", *sources.connect),
        "frame-src": sources.frame or ("'none'",),
        "base-uri": ("'none'",),
        # A form's redirects are judged too, so the provider's origins stand here as well.
        "form-action": ("'self'", *sources.form, *own_form_targets),
        "frame-ancestors": ("'none'",),
    }
    return "; ".join(f"{name} {' '.join(dict.fromkeys(values))}" for name, values in directives.items())


def payment_page_headers(sources: ContentSources) -> dict[str, str]:
    """The headers in which the payment page differs from the other pages.

    `Referrer-Policy: origin`: the provider learns the shop, never the page's signature. A provider's window may be a
    popup that talks to its opener.
    """
    return {
        "Content-Security-Policy": content_security_policy(sources),
        "Referrer-Policy": "origin",
        "Cross-Origin-Opener-Policy": "same-origin-allow-popups",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(self), usb=()",
    }
