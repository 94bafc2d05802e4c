"""What is set of Toss Payments: where it answers, by which account."""

from __future__ import annotations

from pydantic import SecretStr

from core.settings_group import Group, setting


class ProviderSettings(Group):
    # Toss Payments
    toss_url: str = setting(
        "",
        "Toss Payments' API; empty: https://api.tosspayments.com",
        row="P2",
        env="ONSALE_TOSS_URL",
        old="ONSALE_PAYMENT_URL",
    )
    toss_script: str = setting(
        "", "Toss Payments' window script; empty: https://js.tosspayments.com/v2/standard", row="P2"
    )
    toss_client_key: str = setting("", "Toss Payments' client key (for the window)", row="P2")
    toss_secret: SecretStr = setting(
        SecretStr(""), "Toss Payments' secret key", row="P2", env="ONSALE_TOSS_SECRET", old="ONSALE_PAYMENT_SECRET"
    )
    toss_old_url: str = setting("", "where payments made with the old secret are finished; empty: as now", row="P1")
    toss_old_secret: SecretStr = setting(
        SecretStr(""), "the secret key before this one: payments made with it are finished with it", row="P1"
    )
