"""NHN KCP's proof of who calls: the service certificate in each request, and a signature on look-ups and refunds.

`kcp_sign_data` is SHA256withRSA over `site_cd^tno^mod_type` (refund) or `site_cd^tno^pay_type` (look-up), in base64,
made with the private key that belongs to the certificate (https://developer.kcp.co.kr/page/refer/server).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from core.errors import StartupError


class Signer(Protocol):
    """`certificate` is the PEM text on one line, as `kcp_cert_info` wants it."""

    @property
    def certificate(self) -> str: ...

    def sign(self, text: str) -> str: ...


class RsaSigner:
    """Signs with the key that NHN KCP issued."""

    def __init__(self, *, certificate: Path, private_key: Path, password: str) -> None:
        """Raises StartupError when a file cannot be used."""
        try:
            self.certificate = "".join(certificate.read_text("ascii").split("\n")).replace("\r", "")
            key = load_pem_private_key(private_key.read_bytes(), password.encode() or None)
        except (OSError, ValueError, TypeError) as error:
            raise StartupError(f"NHN KCP's certificate or private key cannot be used: {error}") from None
        if not isinstance(key, rsa.RSAPrivateKey):
            raise StartupError("NHN KCP's private key is no RSA key: check ONSALE_KCP_PRIVATE_KEY")
        self._key = key

    def sign(self, text: str) -> str:
        return base64.b64encode(self._key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()


class PlayedSigner:
    """For the simulator, which knows no certificates: both are made of the played provider's secret."""

    def __init__(self, secret: str) -> None:
        self.certificate = f"-----BEGIN CERTIFICATE-----{secret}-----END CERTIFICATE-----"
        self._secret = secret.encode()

    def sign(self, text: str) -> str:
        return base64.b64encode(hmac.new(self._secret, text.encode(), hashlib.sha256).digest()).decode()
