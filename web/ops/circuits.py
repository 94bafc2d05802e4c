"""The payment providers' circuits: seen, and forced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

from starlette.responses import Response

from core.errors import NoSuchProvider
from core.payments.breaker import Mode
from core.payments.payments import Payments
from web.endpoint import Call, Caller, Endpoint, answer
from web.ops.audit import note
from web.ops.schemas import Circuit, Circuits, ForceCircuit

#: What an operator says, and the state that it is.
STATES: Final[Mapping[str, Mode]] = {"open": Mode.FORCED_OPEN, "closed": Mode.DISABLED, "automatic": Mode.CLOSED}


def circuits_of(payments: Payments) -> list[Circuit]:
    return [Circuit(**asdict(view)) for view in payments.circuits()]


async def circuits(call: Call[None]) -> Response:
    await call.parts.payments.refresh()
    return answer(Circuits(circuits=circuits_of(call.parts.payments)))


async def force(call: Call[ForceCircuit]) -> Response:
    provider, state = call.body.provider, call.body.state
    known = {view.provider: view for view in call.parts.payments.circuits()}
    if provider not in known:
        raise NoSuchProvider(f"There is no payment provider of this name: {', '.join(known)}")
    await call.parts.payments.force_circuit(provider, STATES[state])
    await note(call.parts.database, call.actor, f"circuit.{state}", provider, before=known[provider].mode)
    return answer(Circuits(circuits=circuits_of(call.parts.payments)))


ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/operator/circuits",
        circuits,
        "The payment providers' circuits",
        "operator",
        answer=Circuits,
        caller=Caller.OPERATOR,
        uses_stores=False,
    ),
    Endpoint(
        "POST",
        "/api/operator/circuits",
        force,
        "Force a circuit open or closed, or let it work by itself",
        "operator",
        answer=Circuits,
        body=ForceCircuit,
        caller=Caller.OPERATOR,
        refusals=(NoSuchProvider,),
    ),
)
