"""The settings of each payment provider, which stand in its package: `core/payments/NAME/settings.py` (P4)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from pydantic import create_model

from core.payments.registry import PROVIDERS
from core.settings_group import Group


def _of(provider: str) -> type[Group]:
    """Loaded by name, as the adapter is: so a further provider is one line of the registry."""
    found: type[Group] = import_module(f"core.payments.{provider}.settings").ProviderSettings
    return found


#: In the order in which providers are told of.
GROUPS: Final = tuple(_of(name) for name in PROVIDERS)

if TYPE_CHECKING:

    class AllProviderSettings(Group):
        """A provider's own settings are known to its package alone: nobody else has a reason to read them."""

else:
    # From the last to the first, as in `core.settings`.
    AllProviderSettings = create_model("AllProviderSettings", __base__=tuple(reversed(GROUPS)))
