"""What a group of settings is made of."""

from __future__ import annotations

from typing import Any

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Group(BaseSettings):
    """Settings that belong together. A comment on a line of its own begins a table of `docs/settings.md`."""

    model_config = SettingsConfigDict(
        env_prefix="ONSALE_", extra="ignore", frozen=True, populate_by_name=True, env_ignore_empty=True
    )


def setting(
    default: Any,
    about: str,
    *,
    unit: str = "",
    row: str = "",
    env: str | None = None,
    old: str | None = None,
    **constraints: Any,
) -> Any:
    """One setting: `env` is the variable's name when it does not start with `ONSALE_`; `old`: a name of it that is
    understood for one more release.
    """
    alias = AliasChoices(*(name for name in (env, old) if name)) if env else None
    return Field(
        default, description=about, validation_alias=alias, json_schema_extra={"unit": unit, "row": row}, **constraints
    )
