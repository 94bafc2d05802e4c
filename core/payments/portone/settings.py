"""What is set of PortOne: where it answers, by which account."""

from __future__ import annotations

from pydantic import SecretStr

from core.settings_group import Group, setting


class ProviderSettings(Group):
    # PortOne
    portone_url: str = setting("", "PortOne's API; empty: https://api.portone.io", row="P4")
    portone_script: str = setting("", "PortOne's window script; empty: its CDN", row="P4")
    portone_client_key: str = setting("", "PortOne's `storeId` (for the window)", row="P4")
    portone_channel_key: str = setting("", "PortOne's `channelKey`: which provider behind it is paid with", row="P4")
    portone_secret: SecretStr = setting(SecretStr(""), "PortOne's V2 API secret", row="P4")
    portone_webhook_secret: SecretStr = setting(SecretStr(""), "what PortOne signs its webhooks with", row="P6")
    portone_old_url: str = setting("", "where payments made with the old secret are finished; empty: as now", row="P1")
    portone_old_secret: SecretStr = setting(SecretStr(""), "the API secret before this one", row="P1")
