"""The only reader of the environment. Every setting has a unit, a default and the row it comes from.

Those of a payment provider stand in its package (`core/payments/NAME/settings.py`). `docs/settings.md` is generated from
all of them (`make docs`); a test fails when they differ.
"""

from __future__ import annotations

from typing import Any

from pydantic import AliasChoices, SecretStr, ValidationError

from core.errors import StartupError
from core.settings.background import BackgroundSettings
from core.settings.installation import InstallationSettings
from core.settings.payment import PaymentSettings
from core.settings.providers import AllProviderSettings
from core.settings.seats import SeatSettings
from core.settings.waiting_room import WaitingRoomSettings


class Settings(
    BackgroundSettings,
    AllProviderSettings,
    PaymentSettings,
    SeatSettings,
    WaitingRoomSettings,
    InstallationSettings,
):
    """All settings of an installation; `Settings()` reads the environment, keyword arguments override it.

    The groups stand from the last to the first: so pydantic has their fields in the order of the page.
    """

    @classmethod
    def load(cls, **overrides: Any) -> Settings:
        """Settings from the environment; a wrong value is one clear line (`StartupError`), not a trace."""
        try:
            return cls(**overrides)
        except ValidationError as error:
            first = error.errors()[0]
            field = str(first["loc"][0]) if first["loc"] else "settings"
            name = variable_name(field) if field in cls.model_fields else field
            given = "" if _is_secret(name) else f" (given: {first.get('input')!r})"
            raise StartupError(f"{name} is not valid: {first['msg']}{given}") from None

    @property
    def simulated_payment(self) -> bool:
        """ONSALE_PAYMENT names the simulator: `onsale serve` plays the providers itself, under `/paysim` (P5)."""
        return self.payment.split(":")[0].strip() == "simulator"


def _is_secret(variable: str) -> bool:
    secrets = [name for name, field in Settings.model_fields.items() if isinstance(field.default, SecretStr)]
    return variable in map(variable_name, secrets)


def variable_name(field: str) -> str:
    """The environment variable of a setting: `port` -> `PORT`, `seat_guard` -> `ONSALE_SEAT_GUARD`."""
    alias = Settings.model_fields[field].validation_alias
    if isinstance(alias, AliasChoices):
        return str(alias.choices[0])
    return f"ONSALE_{field.upper()}"
