"""NHN KCP's adapter, put together from the settings: where it answers, by which account."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import structlog

from core.errors import StartupError
from core.payments.kcp.adapter_http import PROVIDER, NhnKcp
from core.payments.kcp.settings import ProviderSettings
from core.payments.kcp.signature import PlayedSigner, RsaSigner
from core.payments.provider_package import Limits, Played, environment

log = structlog.get_logger(__name__)

API: Final = "https://spl.kcp.co.kr"
SCRIPT: Final = "https://spay.kcp.co.kr/plugin/kcp_spay_hub.js"
TEST_API: Final = "https://stg-spl.kcp.co.kr"
TEST_SCRIPT: Final = "https://testspay.kcp.co.kr/plugin/kcp_spay_hub.js"


def open_gateway(settings: ProviderSettings, limits: Limits, played: Played | None) -> NhnKcp:
    """Raises StartupError when the certificate or the private key cannot be used."""
    site, not_found = settings.kcp_site_code.strip(), _codes(settings.kcp_not_found_codes)
    if played is not None:
        return NhnKcp(
            url=played.api,
            script=settings.kcp_script or played.script,
            site_code=played.client_key,
            signer=PlayedSigner(played.secret),
            not_found=not_found,
            environment=environment(PROVIDER, "played", ""),
            played=True,
            limits=limits,
        )
    if settings.kcp_not_found_codes == ProviderSettings.model_fields["kcp_not_found_codes"].default:
        log.warning("kcp not found codes are the simulators", setting="ONSALE_KCP_NOT_FOUND_CODES")
    return NhnKcp(
        url=settings.kcp_url or (TEST_API if _is_test(site) else API),
        script=settings.kcp_script or (TEST_SCRIPT if _is_test(site) else SCRIPT),
        site_code=site,
        signer=_signer(settings, settings.kcp_certificate, settings.kcp_private_key),
        not_found=not_found,
        environment=_environment(site),
        played=False,
        limits=limits,
    )


def open_old_gateway(settings: ProviderSettings, limits: Limits) -> NhnKcp | None:
    """Raises StartupError when a site code is given without its certificate and key."""
    site = settings.kcp_old_site_code.strip()
    if not site:
        return None
    if not (settings.kcp_old_certificate and settings.kcp_old_private_key):
        raise StartupError("ONSALE_KCP_OLD_SITE_CODE needs ONSALE_KCP_OLD_CERTIFICATE and ONSALE_KCP_OLD_PRIVATE_KEY")
    return NhnKcp(
        url=settings.kcp_old_url or settings.kcp_url or (TEST_API if _is_test(site) else API),
        script=SCRIPT,
        site_code=site,
        signer=_signer(settings, settings.kcp_old_certificate, settings.kcp_old_private_key),
        not_found=_codes(settings.kcp_not_found_codes),
        environment=_environment(site),
        played=False,
        limits=limits,
    )


def _signer(settings: ProviderSettings, certificate: str, private_key: str) -> RsaSigner:
    return RsaSigner(
        certificate=Path(certificate),
        private_key=Path(private_key),
        password=settings.kcp_private_key_password.get_secret_value(),
    )


def _is_test(site_code: str) -> bool:
    """NHN KCP's public test sites are T0000, T1234 and the like."""
    return bool(re.fullmatch(r"T\d+", site_code))


def _environment(site_code: str) -> str:
    return environment(PROVIDER, "test" if _is_test(site_code) else "live", site_code)


def _codes(text: str) -> frozenset[str]:
    return frozenset(code.strip() for code in text.split(",") if code.strip())
