"""How each refusal is met that says nothing about a sale: who calls, and what is sent."""

from __future__ import annotations

import time
from uuid import uuid4

import httpx

from core.errors import Forbidden
from tests.contract.api_client import open_client
from tests.contract.scene import Meet, Scene, good_body
from tests.manual_clock import ManualClock
from web.app import create_app
from web.endpoint import Caller, Endpoint
from web.security import Operators


async def by_nobody(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    return await scene.call(endpoint, by=scene.nobody)


async def forbidden(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    return await scene.call(endpoint, by=await scene.nobody.as_visitor())


async def not_found(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    return await scene.call(endpoint, query="" if "{" in endpoint.path else "?event=nowhere")


async def cross_site(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    operators = Operators(scene.nobody.as_operator().token, scene.runtime.secret)
    cookie = f"onsale_operator={operators.session('kim', str(uuid4()))}"
    if endpoint.caller is Caller.VISITOR:
        cookie = f"onsale_visitor={(await scene.nobody.as_visitor()).token}"
    return await scene.call(endpoint, by=scene.nobody, headers={"cookie": cookie, "sec-fetch-site": "cross-site"})


async def malformed(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    return await scene.call(endpoint, content=b"{", headers={"content-type": "application/json"})


async def too_large(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    content = b" " * (endpoint.most_body + 1)
    return await scene.call(endpoint, content=content, headers={"content-type": "application/json"})


async def invalid(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    if endpoint.body_type is not None:
        event, sent = await scene.make_event(), {"content-type": endpoint.body_type}
        return await scene.call(endpoint, slug=event.slug, content=b"no\n", headers=sent, query="?group=fans")
    if endpoint.body is None:
        event = await scene.make_event()
        return await scene.call(endpoint, slug=event.slug, query="?seats=x&seat=x&before=x&from=x&phase=%0A")
    return await scene.call(endpoint, json={"unknown": 1})


async def event_exists(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    return await scene.call(endpoint, json={**good_body(endpoint), "slug": (await scene.make_event()).slug})


async def plan_invalid(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    return await scene.call(endpoint, json={**good_body(endpoint), "plan": {"zones": []}})


async def too_many_requests(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    limits = {"calls_per_minute": 1}
    runtime = scene.runtime
    runtime.settings = runtime.settings.model_copy(update=limits)
    runtime.clock = ManualClock(epoch=time.time())  # a busy machine takes the six seconds of one more wrong token
    async with open_client(create_app(runtime, None)) as client:
        api = scene.nobody.at(client)
        by = await api.as_visitor() if endpoint.caller is Caller.VISITOR else api
        if Forbidden in endpoint.all_refusals():  # who shows a token, where nobody must
            by = api.as_operator("wrong")
        for _ in range(11):
            response = await scene.call(endpoint, by=by)
        return response


MEET: dict[str, Meet] = {
    "no_visitor": by_nobody,
    "forbidden": forbidden,
    "sign_in_required": by_nobody,
    "event_not_found": not_found,
    "reservation_not_found": not_found,
    "finding_not_found": not_found,
    "cross_site": cross_site,
    "too_large": too_large,
    "event_exists": event_exists,
    "plan_invalid": plan_invalid,
    "picture_unusable": invalid,
    "picture_not_found": not_found,
    "too_many_requests": too_many_requests,
}
