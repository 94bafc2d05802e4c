"""A captcha of somebody else's, asked by `siteverify`: Turnstile, hCaptcha and reCAPTCHA speak the same form (F4).

`POST` of `secret`, `response` and `remoteip` as a form; the answer is JSON with `success` and `error-codes`. A token is
good once at the service; the join script remembers it as well.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import httpx
import structlog

from core.errors import StartupError
from core.process.tls_http import trusted
from core.waiting_room.beacon_http import goes_encrypted
from core.waiting_room.price import FULL, Paid

log = structlog.get_logger(__name__)

_TIMEOUT: Final = httpx.Timeout(5.0, connect=3.0)
#: Turnstile's tokens are good for 300 s, the others' for less.
_KEEP_MS: Final = 600_000
#: What the three services say of a token that is wrong, old or shown before; everything else is our fault or theirs.
_OF_THE_TOKEN: Final = frozenset(
    {
        "missing-input-response",
        "invalid-input-response",
        "timeout-or-duplicate",
        "expired-input-response",
        "already-seen-response",
        "invalid-or-already-seen-response",
    }
)


class CaptchaAway(Exception):
    """The service did not answer, or not to us: nothing is known of the token."""


class Captcha:
    def __init__(self, url: str, secret: str, site_key: str, script: str) -> None:
        """Raises StartupError when something is missing."""
        if not secret or not site_key or not script:
            raise StartupError(
                "ONSALE_CAPTCHA_VERIFY_URL is set: it needs ONSALE_CAPTCHA_SECRET and ONSALE_CAPTCHA_SITE_KEY as well, "
                "and ONSALE_CAPTCHA_SCRIPT where the service is not Turnstile, hCaptcha or reCAPTCHA"
            )
        if not goes_encrypted(url):
            raise StartupError("ONSALE_CAPTCHA_VERIFY_URL must be an https address")
        self._url = url
        self._secret = secret
        self.site_key = site_key
        self.script = script
        self._client = httpx.AsyncClient(timeout=_TIMEOUT, follow_redirects=False, verify=trusted())

    async def aclose(self) -> None:
        await self._client.aclose()

    @property
    def told(self) -> dict[str, str]:
        """What a page needs to show it."""
        return {"site_key": self.site_key, "script": self.script}

    async def paid(self, token: str, address: str) -> Paid | None:
        """None when the service does not believe the token. Raises CaptchaAway."""
        form = {"secret": self._secret, "response": token, **({"remoteip": address} if address else {})}
        try:
            response = await self._client.post(self._url, data=form)
            said: Any = response.json() if response.status_code == httpx.codes.OK else None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            log.warning("captcha not asked", error=repr(error))
            raise CaptchaAway from error
        if not isinstance(said, dict) or not isinstance(said.get("success"), bool):
            log.warning("captcha not understood", status=response.status_code)
            raise CaptchaAway
        if said["success"]:
            return Paid(FULL, "captcha-" + hashlib.sha256(token.encode()).hexdigest(), _KEEP_MS)
        codes = said.get("error-codes")
        if not isinstance(codes, list) or not _OF_THE_TOKEN.issuperset(codes):
            # A wrong secret, or a service that is ill: the buyer can do nothing about either.
            log.error("captcha refuses us", codes=codes)
            raise CaptchaAway
        return None


#: Host of siteverify -> the script that shows the widget.
_SCRIPTS: Final = {
    "challenges.cloudflare.com": "https://challenges.cloudflare.com/turnstile/v0/api.js",
    "api.hcaptcha.com": "https://js.hcaptcha.com/1/api.js",
    "hcaptcha.com": "https://js.hcaptcha.com/1/api.js",
    "www.google.com": "https://www.google.com/recaptcha/api.js",
    "www.recaptcha.net": "https://www.recaptcha.net/recaptcha/api.js",
}


def script_of(url: str) -> str:
    """Of the service that this siteverify belongs to; empty for one that is not known."""
    return _SCRIPTS.get(httpx.URL(url).host, "")
