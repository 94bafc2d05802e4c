"""Holds the providers' own lists of charges against our books, once an hour, and writes down what differs (P6).

Webhooks are hints and redirects get lost; a provider's list is what is left. Charges of the last hours are compared
every hour, with an overlap; those of `days` days once a day, because money is given back in a provider's dashboard long
after a charge. A comparison that does not come to its end moves nothing on: the next one begins where it would have.
Lists are read page by page, and a page is compared before the next is read.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, cast

import structlog
from prometheus_client import Counter

from core.booking.comparison import difference
from core.booking.findings_postgres import Compared, FindingRows
from core.payments.account import Account
from core.payments.gateway import ListedCharge
from core.payments.payments import Payments
from core.payments.transport_http import ListFailed

log = structlog.get_logger(__name__)

FOUND = Counter("onsale_payment_findings", "Differences from a provider's list, by kind", ["provider", "kind"])

#: `provider_lists.code` of a provider without a list.
NO_LIST: Final = "no_list"

_EVERY: Final = timedelta(hours=1)
_WHOLE_EVERY: Final = timedelta(days=1)
_AFTER_FAILURE: Final = timedelta(minutes=5)
#: A comparison begins so much before the end of the one before: a list may be late, and a charge be settled late.
_OVERLAP: Final = timedelta(hours=2)
#: A refund so young may not be in the list yet.
_LATELY: Final = timedelta(minutes=5)
#: Charges that are held against our books at once.
_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Comparison:
    """One reading of one account's list. `charges` read, `differing` of them, `new` findings. `code`: why it did not
    come to its end; None: it did.
    """

    provider: str
    environment: str
    since: datetime
    until: datetime
    charges: int = 0
    differing: int = 0
    new: int = 0
    code: str | None = None


class Comparing:
    """All calls raise StoreUnavailable. `days`: how far the daily comparison looks back."""

    def __init__(self, *, rows: FindingRows, payments: Payments, days: float) -> None:
        self._rows = rows
        self._payments = payments
        self._days = timedelta(days=days)

    async def run(self) -> None:
        """The body of the job: every account whose comparison is due. One that fails keeps no other from its own."""
        now = await self._rows.now()
        known = {Account(one.provider, one.environment): one for one in await self._rows.compared()}
        for account in sorted(self._payments.accounts(), key=lambda one: (one.provider, one.environment)):
            before = known.get(account)
            if before is not None and not _due(before, now):
                continue
            whole = before is None or before.whole_at is None or now - before.whole_at >= _WHOLE_EVERY
            since = now - self._days
            if before is not None and before.compared_until is not None:
                # What was missed for longer than the daily look goes back is caught up with as well.
                recent = before.compared_until - _OVERLAP
                since = min(since, recent) if whole else recent
            await self._compare(account, since, now, whole=whole, moves_on=True)

    async def compare(self, since: datetime | None = None, until: datetime | None = None) -> list[Comparison]:
        """All accounts, now; by default the last hours. A time that is named moves nothing on."""
        now = await self._rows.now()
        named = since is not None or until is not None
        end = until or now
        begin = since or end - _EVERY - _OVERLAP
        return [
            await self._compare(account, begin, end, whole=False, moves_on=False if named else None)
            for account in sorted(self._payments.accounts(), key=lambda one: (one.provider, one.environment))
        ]

    async def _compare(
        self, account: Account, since: datetime, until: datetime, *, whole: bool, moves_on: bool | None
    ) -> Comparison:
        """`moves_on` None: only where nothing between is left out."""
        began = await self._rows.now()
        done = Comparison(account.provider, account.environment, since, until)
        try:
            async for page in _pages(self._payments.list_charges(account, since, until)):
                done = await self._hold_against(account, page, began, done)
        except NotImplementedError:
            done = replace(done, code=NO_LIST)
        except ListFailed as failed:
            done = replace(done, code=failed.code)
        if done.code is not None:
            await self._rows.failed(account, done.code)
            level = log.info if done.code == NO_LIST else log.warning
            level("a provider's list was not compared", provider=account.provider, code=done.code)
            return done
        await self._rows.gone(account, since, until, began)
        if moves_on is None:
            moves_on = any(
                one.compared_until is not None and one.compared_until >= since
                for one in await self._rows.compared()
                if (one.provider, one.environment) == (account.provider, account.environment)
            )
        await self._rows.done(account, until if moves_on else None, whole=whole, charges=done.charges)
        log.info("a provider's list was compared", provider=account.provider, charges=done.charges, new=done.new)
        return done

    async def _hold_against(
        self, account: Account, page: Sequence[ListedCharge], began: datetime, done: Comparison
    ) -> Comparison:
        booked = await self._rows.booked(account.provider, [one.order for one in page], began - _LATELY)
        differing, new = 0, 0
        for charge in page:
            found = difference(charge, booked.get(charge.order))
            if found is None:
                continue
            differing += 1
            if await self._rows.add(account, found, began):
                new += 1
                FOUND.labels(account.provider, found.kind).inc()
                log.error(
                    "the provider's list differs from the books",
                    provider=account.provider,
                    kind=found.kind,
                    order=charge.order,
                    left_there=charge.balance,
                    left_here=found.left_here,
                )
        return replace(
            done,
            charges=done.charges + len(page),
            differing=done.differing + differing,
            new=done.new + new,
        )


async def seen(rows: FindingRows, account: Account, charge: ListedCharge) -> None:
    """A charge as the provider tells of it now, by whatever led there: held against our books like a list's."""
    now = await rows.now()
    found = difference(charge, (await rows.booked(account.provider, [charge.order], now - _LATELY)).get(charge.order))
    if found is not None and await rows.add(account, found, now):
        FOUND.labels(account.provider, found.kind).inc()
        log.error("a charge differs from the books", provider=account.provider, kind=found.kind, order=charge.order)


def _due(before: Compared, now: datetime) -> bool:
    if before.tried_at is None:
        return True
    if before.code == NO_LIST:
        return now - before.tried_at >= _WHOLE_EVERY
    return now - before.tried_at >= (_EVERY if before.code is None else _AFTER_FAILURE)


async def _pages(charges: AsyncIterator[ListedCharge]) -> AsyncIterator[list[ListedCharge]]:
    page: list[ListedCharge] = []
    # An adapter's list is a generator: closed here, also when a store goes away half way.
    async with aclosing(cast(AsyncGenerator[ListedCharge, None], charges)):
        async for charge in charges:
            page.append(charge)
            if len(page) == _PAGE:
                yield page
                page = []
    if page:
        yield page
