"""The payment providers, asked from here: do they answer, and do they take our key?"""

from __future__ import annotations

from collections.abc import AsyncIterator

from core.diagnosis.finding import Cause, Finding, fail, passed
from core.payments.gateway import CallHealth
from core.payments.payments import Payments


async def providers(payments: Payments, *, played: bool) -> AsyncIterator[Finding]:
    """Nothing where none is configured for this command. No money is named, and nothing is changed there.

    `played`: by a web process of ours, which is looked at as such.
    """
    if played:
        yield passed("provider", "played by the simulator: no money moves")
        return
    for answer in await payments.reach():
        if answer.shops_fault:
            detail = f"{answer.provider} refuses our key: {answer.code}"
            yield fail("provider", Cause.PAYMENTS_MISCONFIGURED, detail)
        elif answer.health in (CallHealth.FAILURE, CallHealth.TIMEOUT):
            yield fail(
                "provider", Cause.PROVIDER_AWAY, f"{answer.provider} does not answer as it should: {answer.code}"
            )
        else:
            yield passed("provider", f"{answer.provider} answers and takes our key")
