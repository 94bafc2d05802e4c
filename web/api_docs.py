"""`python -m web.api_docs docs/http-api.md`: the page about the HTTP API, from the declarations that serve it."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from core.errors import OnsaleError
from core.venue.plan_document import MAX_BYTES
from web.app import ENDPOINTS
from web.endpoint import MOST_BODY, Caller, Endpoint

_INTRODUCTION = f"""# The HTTP API

Everything that a browser does over the live channel can be done by these calls. The exact shapes of bodies are in the
OpenAPI 3.1 description that each installation serves at `/openapi.json`. Generated from the declarations in `web/` by
`make docs`: change it there.

Times are ISO 8601 in UTC; money is an integer in the currency's minor unit; a seat is its ordinal, its index in the
plan. Bodies are JSON (`Content-Type: application/json`) with exactly the members that are described, of
{MOST_BODY // 1024} KiB at most, or {MAX_BYTES // 1_000_000} MB where a seat plan is part of them.

## Who calls

A program becomes a visitor with `POST /api/visitors` and sends the token with every call. It is good for 400 days; the
same call with the token as bearer gives a new one of the same visitor. One that is more than a day old takes no new
place in a queue before it is renewed (401 `no_visitor`), but by a ticket. A browser has the same identity in the cookie
that its first page gave it, and pages renew that; a call that changes something must then come from one of our own
pages (`Sec-Fetch-Site` or `Origin`), or it is refused as `cross_site`. No body and no address names who the caller is.

```sh
BASE=http://127.0.0.1:8080
TOKEN=$(curl -s -X POST $BASE/api/visitors | jq -r .token)
AUTH="Authorization: Bearer $TOKEN"; JSON="Content-Type: application/json"
curl -s -X POST -H "$AUTH" $BASE/api/events/demo/queue                       # until "state" is "active"
curl -s -X POST -H "$AUTH" $BASE/api/events/demo/heartbeat                   # every 10 seconds, or the place is lost
curl -s -X POST -H "$AUTH" -H "$JSON" -d '{{"seats": [7, 8]}}' $BASE/api/events/demo/holds
ORDER=$(curl -s -X POST -H "$AUTH" -H "$JSON" -H "Idempotency-Key: $(uuidgen)" \\
     -d '{{"email": "kim@example.org"}}' $BASE/api/events/demo/reservations)   # "payment.page" is where the buyer pays

# Where payments are simulated, a program goes through the window's twin; then it loads the address of the return.
FIELDS=$(curl -s -H "Accept: application/json" "$BASE$(jq -r .payment.page <<<"$ORDER")" | jq .fields)
WINDOW=$(curl -s -H "$JSON" -d "$FIELDS" $BASE/paysim/toss/windows | jq -r .window)
curl -s "$(curl -s -H "$JSON" -d '{{"card": "good"}}' $BASE/paysim/toss/windows/$WINDOW/approve | jq -r .return)"
curl -s -H "$AUTH" $BASE/api/reservations/$(jq -r .id <<<"$ORDER")           # until "status" is not "PAYING"
```

## What a place costs

The first places of a network (IPv4 /24, IPv6 /48) are free; for a further one `POST .../queue` is refused with 403
`proof_required` and a `challenge` in ALTCHA's format (v2: https://altcha.org/docs/v2/), the channel with a `problem` of
that code. Solve it and join again with the solution as `proof`:

```python
import altcha, httpx  # pip install altcha httpx

refused = httpx.post(f"{{BASE}}/api/events/demo/queue", headers=auth).json()  # code: proof_required
challenge = altcha.Challenge.from_dict(refused["challenge"])
proof = altcha.Payload(challenge, altcha.solve_challenge(challenge)).to_base64()
httpx.post(f"{{BASE}}/api/events/demo/queue", headers=auth, json={{"proof": proof}})
```

`challenge.parameters.data` says what it is good for (event, visitor, network), until when (`until`, seconds since 1970)
and how many `tries` it can take at most. A solution is good once. The price is judged when it is handed in, one step
tolerated: when it has risen by more, the answer is `proof_required` with a new challenge. `captcha` (`site_key`,
`script`) is there where the installation has one: its token is a `proof` as well. Asking again for a place that one has
costs nothing. With `ONSALE_RATE_LIMITS=off` nothing costs anything: load runs from one address want that.

## When something is refused

Every refusal is an RFC 9457 problem response (`application/problem+json`): `type`, `title`, `status`, `detail`, `code`,
`instance`, `request_id`, and what belongs to the code (`seats`, `errors`). Programs read `code`, which does not change.
What is wrong in a seat plan, and what an alert or a step of a diagnosis saw, has beside its English `message` or
`detail` a stable `key` and the `arguments` that stand in it, so that others may say it in their language: an argument
is a text, a number, a sentence of its own, or a list of sentences.
429 and 503 carry `Retry-After`. Repeating a refused call is safe: a refusal has changed nothing. A reservation is
repeated with the same `Idempotency-Key`, and is then the same reservation.
"""


def document() -> str:
    """The whole page."""
    return "\n".join([_INTRODUCTION, *_calls(), *_codes()])


def _calls() -> list[str]:
    by_tag: dict[str, list[Endpoint]] = defaultdict(list)
    for endpoint in ENDPOINTS:
        by_tag[endpoint.tag].append(endpoint)
    parts = ["## Calls\n"]
    for tag, endpoints in by_tag.items():
        parts.append(
            f"### {tag.capitalize()}\n\n| call | who | what | answer | refusals of its own |\n|---|---|---|---|---|"
        )
        parts += [_call(endpoint) for endpoint in endpoints]
        parts.append("")
    return parts


def _call(endpoint: Endpoint) -> str:
    body = f" `{{{', '.join(endpoint.body.model_fields)}}}`" if endpoint.body else ""
    own = ", ".join(f"{refusal.status} `{refusal.code}`" for refusal in endpoint.refusals)
    who = "" if endpoint.caller is Caller.ANYONE else endpoint.caller.value
    model = f" {endpoint.answer.__name__}" if endpoint.answer else ""
    call = f"`{endpoint.method} {endpoint.path}`{body}"
    return f"| {call} | {who} | {endpoint.summary} | {endpoint.success}{model} | {own} |"


def _codes() -> list[str]:
    met: dict[tuple[str, int], tuple[type[OnsaleError], set[str]]] = {}
    for endpoint in ENDPOINTS:
        for refusal in endpoint.all_refusals():
            met.setdefault((refusal.code, refusal.status), (refusal, set()))[1].add(endpoint.tag)
    parts = ["## Codes\n", "| code | status | meaning | met at |", "|---|---|---|---|"]
    parts += [
        f"| `{code}` | {status} | {refusal.title} | {', '.join(sorted(tags))} |"
        for (code, status), (refusal, tags) in sorted(met.items())
    ]
    return [*parts, ""]


def main(arguments: Sequence[str]) -> None:
    Path(arguments[0]).write_text(document())


if __name__ == "__main__":
    main(sys.argv[1:])
