"""The payment providers, asked from here: do they answer, and do they take our key?"""

from __future__ import annotations

from collections.abc import AsyncIterator

from core.diagnosis.finding import Cause, Finding, fail, passed
from core.payments.gateway import CallHealth
from core.payments.payments import Payments
from core.sentences import said


async def providers(payments: Payments, *, played: bool) -> AsyncIterator[Finding]:
    """Nothing where none is configured for this command. No money is named, and nothing is changed there.

    `played`: by a web process of ours, which is looked at as such.
    """
    if played:
        yield passed("provider", said("provider.played"))
        return
    for answer in await payments.reach():
        if answer.shops_fault:
            told = said("provider.refuses_us", provider=str(answer.provider), code=str(answer.code))
            yield fail("provider", Cause.PAYMENTS_MISCONFIGURED, told)
        elif answer.health in (CallHealth.FAILURE, CallHealth.TIMEOUT):
            told = said("provider.away", provider=str(answer.provider), code=str(answer.code))
            yield fail("provider", Cause.PROVIDER_AWAY, told)
        else:
            yield passed("provider", said("provider.answers", provider=str(answer.provider)))
