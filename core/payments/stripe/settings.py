"""What is set of Stripe: where it answers, by which account."""

from __future__ import annotations

from pydantic import SecretStr

from core.settings_group import Group, setting


class ProviderSettings(Group):
    # Stripe
    stripe_url: str = setting("", "Stripe's API; empty: https://api.stripe.com", row="P4")
    stripe_secret: SecretStr = setting(SecretStr(""), "Stripe's secret key", row="P4")
    stripe_webhook_secret: SecretStr = setting(SecretStr(""), "what Stripe signs its webhooks with", row="P6")
    stripe_old_url: str = setting("", "where payments made with the old secret are finished; empty: as now", row="P1")
    stripe_old_secret: SecretStr = setting(SecretStr(""), "the secret key before this one", row="P1")
