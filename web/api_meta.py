"""What programs ask about the API itself: its description and its figures."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

import orjson
from starlette.responses import Response

from web import metrics, openapi
from web.caching import Body, respond
from web.endpoint import Call, Endpoint


async def get_metrics(call: Call[None]) -> Response:
    async def make() -> bytes:
        return await metrics.exposition(call.parts.store_figures)

    # Once a second, however many ask: it reads every store and every process's figures.
    return metrics.response(await call.parts.kept.get("metrics", make))


METRICS = Endpoint(
    "GET", "/metrics", get_metrics, "Figures for Prometheus", "operations", media_type="text/plain", uses_stores=False
)


def description_of(endpoints: Sequence[Endpoint]) -> Endpoint:
    """`GET /openapi.json`, which describes `endpoints` and itself."""
    bodies: list[Body] = []

    async def get_description(call: Call[None]) -> Response:
        return respond(call.request, bodies[0], cache_control="public, max-age=60")

    described = Endpoint(
        "GET",
        "/openapi.json",
        get_description,
        "This description",
        "operations",
        media_type="application/json",
        not_modified=True,
        uses_stores=False,
    )
    document = openapi.document([*endpoints, described], version=version("onsale"))
    content = orjson.dumps(document)
    bodies.append(Body(content, openapi.digest(content), "application/json"))
    return described
