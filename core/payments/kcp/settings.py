"""What is set of NHN KCP: where it answers, by which account."""

from __future__ import annotations

from pydantic import SecretStr

from core.settings_group import Group, setting


class ProviderSettings(Group):
    # NHN KCP
    kcp_url: str = setting("", "NHN KCP's API; empty: https://spl.kcp.co.kr", row="P4")
    kcp_script: str = setting(
        "", "NHN KCP's window script on a PC; empty: https://spay.kcp.co.kr/plugin/kcp_spay_hub.js", row="P4"
    )
    kcp_site_code: str = setting("T0000", "NHN KCP's `site_cd`; T0000 is its public test site", row="P4")
    kcp_certificate: str = setting("", "file with the service certificate that NHN KCP issued (PEM)", row="P4")
    kcp_private_key: str = setting("", "file with its private key (PEM, PKCS #8)", row="P4")
    kcp_private_key_password: SecretStr = setting(SecretStr(""), "that private key's password", row="P4")
    kcp_old_url: str = setting("", "where payments of the old `site_cd` are finished; empty: as now", row="P1")
    kcp_old_site_code: str = setting("", "the `site_cd` before this one: its payments are finished with it", row="P1")
    kcp_old_certificate: str = setting("", "its service certificate (file)", row="P1")
    kcp_old_private_key: str = setting("", "its private key (file)", row="P1")
    kcp_not_found_codes: str = setting(
        "SIM404",
        "`res_cd` of NHN KCP for the net-cancel of an order that it does not know, comma separated (agreed with "
        "NHN KCP; the default is the simulator's)",
        row="S25",
    )
