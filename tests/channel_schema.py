"""The channel as `docs/asyncapi.yaml` describes it, to check real messages against."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft7Validator

DOCUMENT = Path(__file__).parent.parent / "docs" / "asyncapi.yaml"


@functools.cache
def document() -> dict[str, Any]:
    described: dict[str, Any] = yaml.safe_load(DOCUMENT.read_text())
    return described


def names(operation: str) -> set[str]:
    """The messages of `takeCommands` or `tellNews`."""
    return {message["$ref"].rpartition("/")[2] for message in document()["operations"][operation]["messages"]}


def payload(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = document()["components"]["messages"][name]["payload"]
    return schema


@functools.cache
def validator(name: str) -> Draft7Validator:
    """AsyncAPI's own schema dialect is a superset of JSON Schema draft 7."""
    return Draft7Validator(
        payload(name) | {"components": document()["components"]}, format_checker=Draft7Validator.FORMAT_CHECKER
    )


def check_news(message: dict[str, Any]) -> None:
    """A message of the server: described, and with no field that is not."""
    name = message["type"]
    assert name in names("tellNews"), f"not described: {message}"
    validator(name).validate(message)
    surplus = message.keys() - payload(name)["properties"].keys()
    assert not surplus, f"fields of {name} that are not described: {surplus}"
