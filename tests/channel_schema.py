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


@functools.cache
def messages(operation: str) -> dict[str, dict[str, Any]]:
    """The messages of `takeCommands` or `tellNews` by their `type`."""
    keys = [message["$ref"].rpartition("/")[2] for message in document()["operations"][operation]["messages"]]
    described = [document()["components"]["messages"][key] for key in keys]
    return {message["name"]: message for message in described}


def names(operation: str) -> set[str]:
    return set(messages(operation))


def payload(name: str, operation: str) -> dict[str, Any]:
    schema: dict[str, Any] = messages(operation)[name]["payload"]
    return schema


@functools.cache
def validator(name: str, operation: str) -> Draft7Validator:
    """AsyncAPI's own schema dialect is a superset of JSON Schema draft 7."""
    return Draft7Validator(
        payload(name, operation) | {"components": document()["components"]},
        format_checker=Draft7Validator.FORMAT_CHECKER,
    )


def check_news(message: dict[str, Any]) -> None:
    """A message of the server: described, and with no field that is not."""
    name = message["type"]
    assert name in names("tellNews"), f"not described: {message}"
    validator(name, "tellNews").validate(message)
    surplus = message.keys() - payload(name, "tellNews")["properties"].keys()
    assert not surplus, f"fields of {name} that are not described: {surplus}"
