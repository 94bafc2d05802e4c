"""A rush as text for people and as JSON for programs."""

from __future__ import annotations

from typing import Any

from cli.load.funnel import LABELS, Outcome
from cli.load.measures import Durations, Summary
from cli.load.rush import Result
from cli.load.verdict import reservation_of

_STEPS = {"queue": "waited in the queue", "payment": "waited for the payment's result"}


def as_text(result: Result) -> str:
    parts = [_head(result), _funnel(result), _totals(result), _calls(result), [*_errors(result), *verdict(result)]]
    return "\n\n".join("\n".join(part) for part in parts)


def verdict(result: Result) -> list[str]:
    if result.ok:
        sources = ["API", "database", *(["payment ledger"] if result.truth.ledger is not None else []), "boards"]
        return [f"verdict: ok: {', '.join(sources[:-1])} and {sources[-1]} agree"]
    return [
        f"verdict: NOT ok: {len(result.differences)} difference{'' if len(result.differences) == 1 else 's'}",
        *(f"  {one.kind}: {one.text}" for one in result.differences),
    ]


def as_dict(result: Result) -> dict[str, Any]:
    calls, tunnel = result.calls, result.funnel
    return {
        "event": result.event.slug,
        "seats": result.event.seat_count,
        "active_limit": result.event.active_limit,
        "visitors": tunnel.visitors,
        "channel": result.plan.channel,
        "simulator": result.behaviour,
        "seconds": round(result.seconds, 3),
        "funnel": {outcome.value: count for outcome, count in tunnel.stopped.items()},
        "details": [
            {"outcome": outcome.value, "detail": detail, "visitors": count}
            for (outcome, detail), count in tunnel.details.items()
        ],
        "sold": sold(result),
        "confirmed": tunnel.tickets,
        "throughput": {
            "visitors_per_second": _rate(tunnel.visitors, result.seconds),
            "calls_per_second": _rate(calls.count, result.seconds),
            "tickets_per_second": _rate(tunnel.tickets, result.seconds),
        },
        "calls": {
            name: {**_seconds(one), "refused": calls.refusals_of(name), "errors": calls.errors_of(name)}
            for name, one in calls.summaries().items()
        },
        "steps": {name: _seconds(one) for name, one in result.steps.summaries().items()},
        "driver_wait": {name: _seconds(one) for name, one in result.waits.summaries().items()},
        "refusals": {f"{call}: {code}": count for (call, code), count in calls.refusals.most_common()},
        "errors": {f"{call}: {kind}": count for (call, kind), count in calls.errors.most_common()},
        "errors_by_kind": calls.errors_by_kind(),
        "guard": result.guard,
        "board_gaps": result.gaps,
        "reservations_under_way": result.left,
        "ledger": ledger_counts(result),
        "verdict": {
            "ok": result.ok,
            "differences": [{"kind": one.kind, "text": one.text} for one in result.differences],
        },
    }


def sold(result: Result) -> int:
    """Seats that PostgreSQL says are sold."""
    return sum(status == "SOLD" for status in result.truth.seats)


def ledger_counts(result: Result) -> dict[str, int] | None:
    """Of the event's orders; None when the ledger could not be read."""
    if result.truth.ledger is None:
        return None
    ids = {row.id for row in result.truth.reservations}
    orders = [charge for charge in result.truth.ledger if reservation_of(charge.order_id) in ids]
    charged = [charge for charge in orders if charge.charged]
    return {"orders": len(orders), "charged": len(charged), "cancelled": sum(charge.cancelled for charge in charged)}


def _head(result: Result) -> list[str]:
    event, behaviour = result.event, result.behaviour
    way = "the live channel" if result.plan.channel == "ws" else "HTTP"
    lines = [
        f"{event.slug}: {result.funnel.visitors:,} visitors over {way}, {event.seat_count:,} seats, "
        f"{event.active_limit:,} let in at once"
    ]
    if behaviour is not None:
        approved = (1 - behaviour["hang_rate"] - behaviour["error_rate"]) * behaviour["success_rate"]
        lines.append(
            f"payment simulator: {approved:.1%} approved, {behaviour['hang_rate']:.1%} never answered, "
            f"after {behaviour['latency_seconds']:g} s"
        )
    return lines


def _funnel(result: Result) -> list[str]:
    tunnel = result.funnel
    width = max(len(label) for label in LABELS.values())
    lines = [f"{'where the visitors were stopped':<{width}}  visitors   share"]
    for outcome in Outcome:
        count = tunnel.stopped[outcome]
        if count or outcome in _ALWAYS:
            lines.append(f"{LABELS[outcome]:<{width}}  {count:>8,}  {count / max(tunnel.visitors, 1):>6.1%}")
            lines += [
                f"    {detail} ({visitors:,})" for (of, detail), visitors in tunnel.details.items() if of is outcome
            ][:5]
    return lines


#: Rows of the funnel that are shown even when nobody was stopped there (S35).
_ALWAYS = (
    Outcome.QUEUE,
    Outcome.TAKEN,
    Outcome.GUARD,
    Outcome.DECLINED,
    Outcome.UNKNOWN,
    Outcome.ERROR,
    Outcome.TICKET,
)


def _totals(result: Result) -> list[str]:
    tunnel, calls = result.funnel, result.calls
    sales = f"sold {sold(result):,} of {result.event.seat_count:,} seats; {tunnel.tickets:,} confirmed"
    visitors, made = _rate(tunnel.visitors, result.seconds), _rate(calls.count, result.seconds)
    lines = [f"{sales}; {result.seconds:.1f} s: {visitors:,.1f} visitors/s, {made:,.0f} calls/s"]
    ledger = ledger_counts(result)
    if ledger is not None:
        lines.append(
            f"ledger: {ledger['orders']:,} orders, {ledger['charged']:,} charged, {ledger['cancelled']:,} cancelled"
        )
    if result.guard:
        lines.append(
            "server's locks and versions: "
            + ", ".join(f"{value:,.6g} {label}" for label, value in result.guard.items())
        )
    if result.gaps:
        lines.append(f"watching browser: {result.gaps} gaps in the board's changes, each mended by a resync")
    return lines


def _calls(result: Result) -> list[str]:
    rows = [
        (name, one, result.calls.refusals_of(name), result.calls.errors_of(name))
        for name, one in result.calls.summaries().items()
    ]
    width = max((len(name) for name, *_ in rows), default=4)
    width = max(width, *(len(label) for label in _STEPS.values()))
    counts = f"{'count':>7}  {'refused':>7}  {'errors':>6}"
    lines = [f"{'call':<{width}}  {counts}  {'mean ms':>8}  {'p95 ms':>8}  {'max ms':>8}"]
    for name, one, refused, errors in rows:
        lines.append(f"{name:<{width}}  {one.count:>7,}  {refused:>7,}  {errors:>6,}  {_ms(one)}")
    for name, one in result.steps.summaries().items():
        lines.append(f"{_STEPS.get(name, name):<{width}}  {one.count:>7,}  {'':>7}  {'':>6}  {_ms(one)}")
    lines += _driver(result.waits)
    return lines


def _driver(waits: Durations) -> list[str]:
    """The driver's own queue, when it was one: the latencies above do not contain it."""
    one = waits.summaries().get("turn")
    if one is None or one.p95 < 0.05:
        return []
    return [f"(calls waited {one.mean * 1000:,.0f} ms on average for one of the --connections before they left)"]


def _errors(result: Result) -> list[str]:
    refusals = result.calls.refusals.most_common(12)
    lines = ["refused: " + (", ".join(f"{code} {count:,} ({call})" for (call, code), count in refusals) or "none")]
    errors = result.calls.errors.most_common(12)
    lines.append("errors: " + (", ".join(f"{kind} {count:,} ({call})" for (call, kind), count in errors) or "none"))
    return lines


def _ms(one: Summary) -> str:
    return f"{one.mean * 1000:>8,.1f}  {one.p95 * 1000:>8,.1f}  {one.max * 1000:>8,.1f}"


def _seconds(one: Summary) -> dict[str, float]:
    return {
        "count": one.count,
        "mean_ms": round(one.mean * 1000, 3),
        "p95_ms": round(one.p95 * 1000, 3),
        "max_ms": round(one.max * 1000, 3),
    }


def _rate(count: int, seconds: float) -> float:
    return round(count / seconds, 2) if seconds > 0 else 0.0
