"""A place is asked for with what its network has to pay: proof of work, or a captcha where one is set (F4).

What is wanted, the join script says by the places that the network has at that moment; it judges and takes the proof in
the same step. So nothing but that script is asked for a place that is free or paid for, and PostgreSQL never.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from core import keys
from core.errors import ProofRequired
from core.waiting_room.captcha_http import Captcha, CaptchaAway
from core.waiting_room.price import NOTHING_PAID, Bidder, Paid, Price
from core.waiting_room.proof_of_work import ProofOfWork, read

Ask = Callable[[list[str | int]], Awaitable[Any]]


class AdmissionPrice:
    def __init__(self, *, price: Price, work: ProofOfWork, captcha: Captcha | None) -> None:
        self._price = price
        self._work = work
        self._captcha = captcha

    async def paid_for(self, slug: str, visitor: str, bidder: Bidder, ask: Ask) -> Any:
        """What `ask` answers, which runs the join script with the price as its last arguments. Raises ProofRequired."""
        proof = bidder.proof
        worked = proof is not None and bidder.network != "" and read(proof) is not None
        paid = NOTHING_PAID
        if proof is not None and worked:
            paid = self._work.paid(proof, slug, visitor, bidder.network) or NOTHING_PAID
        answer = await ask(self._arguments(slug, bidder.network, paid))
        if answer[0] != b"proof":
            return answer
        step = int(answer[1])
        captcha = self._captcha
        if captcha is None or proof is None or worked:
            raise self._required(slug, visitor, bidder.network, step)
        # A captcha's token is good once at its service too: it is only shown there when the place has a price.
        try:
            solved = await captcha.paid(proof, bidder.address)
        except CaptchaAway:
            raise self._required(slug, visitor, bidder.network, step, away=True) from None
        if solved is None:
            raise self._required(slug, visitor, bidder.network, step)
        answer = await ask(self._arguments(slug, bidder.network, solved))
        if answer[0] == b"proof":
            raise self._required(slug, visitor, bidder.network, int(answer[1]))
        return answer

    def _required(self, slug: str, visitor: str, network: str, step: int, *, away: bool = False) -> ProofRequired:
        """Above the dearest work the captcha alone is asked for, where there is one that answers."""
        captcha = None if self._captcha is None else self._captcha.told
        only = captcha is not None and not away and step > self._price.doublings
        challenge = None if only else self._work.challenge(slug, visitor, network, step)
        return ProofRequired(challenge, captcha)

    def _arguments(self, slug: str, network: str, paid: Paid) -> list[str | int]:
        price = self._price
        return [
            network,
            paid.step,
            paid.id,
            paid.keep_ms,
            price.free,
            price.step_places,
            price.doublings,
            keys.proof_prefix(slug),
        ]
