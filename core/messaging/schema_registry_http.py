"""A Confluent-compatible schema registry over HTTP (https://docs.confluent.io/platform/current/schema-registry/develop/api.html).

Ids never change their meaning, so both directions are kept for the life of the process.
"""

from __future__ import annotations

from typing import Any

import httpx
import orjson

from core.messaging.codec import parsed_schema
from core.messaging.consumer import DependencyAway
from core.messaging.reservation_message import EventInvalid
from core.messaging.topics_kafka import Topics
from core.process.tls_http import trusted

_CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
_TIMEOUT = httpx.Timeout(5.0, connect=3.0)


class RegistryAway(DependencyAway):
    """No answer, or not one that says anything."""


class RegistryRefused(Exception):
    """The registry does not take the schema: it is not compatible with what the subject allows."""


class SchemaRegistry:
    """`subject` follows the topic name strategy: `<topic>-value`. A user and password may stand in the URL."""

    def __init__(self, url: str, *, subject: str) -> None:
        self._subject = subject
        self._client = httpx.AsyncClient(
            base_url=url.rstrip("/"), timeout=_TIMEOUT, headers={"Accept": _CONTENT_TYPE}, verify=trusted()
        )
        self._ids: dict[str, int] = {}
        self._schemas: dict[int, dict[str, Any]] = {}

    async def register(self, text: str) -> int:
        """The schema's id, new or known. Raises RegistryAway or RegistryRefused."""
        if text not in self._ids:
            body = await self._call(
                "POST",
                f"/subjects/{self._subject}/versions",
                content=orjson.dumps({"schema": text}),
                headers={"Content-Type": _CONTENT_TYPE},
            )
            if "id" not in body:
                raise RegistryRefused(str(body.get("message", body)))
            self._ids[text] = int(body["id"])
        return self._ids[text]

    async def schema(self, id_: int) -> dict[str, Any]:
        """The parsed schema of an id. Raises RegistryAway, or EventInvalid when there is none."""
        if id_ not in self._schemas:
            body = await self._call("GET", f"/schemas/ids/{id_}")
            if "schema" not in body:
                raise EventInvalid(f"the registry has no schema {id_}: {body.get('message', body)}")
            self._schemas[id_] = parsed_schema(body["schema"])
        return self._schemas[id_]

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """The answer's body, also that of a refusal (4xx)."""
        try:
            response = await self._client.request(method, path, **options)
            # 401, 403, 429 and 5xx say nothing about the schema.
            if response.status_code in (401, 403, 408, 429) or response.status_code >= 500:
                raise RegistryAway(f"the schema registry answered {response.status_code}")
            body = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise RegistryAway(f"the schema registry does not answer: {error!r}") from error
        if not isinstance(body, dict):
            raise RegistryAway("the schema registry answered something else than an object")
        return body


def open_registry(url: str, topics: Topics) -> SchemaRegistry | None:
    """The registry at that URL; None where it is empty."""
    if not url:
        return None
    return SchemaRegistry(url, subject=f"{topics.reservations}-value")
