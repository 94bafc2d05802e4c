"""What a diagnosis says has words in every language; in English they are those of shell and API, word by word (T9)."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import pytest

from core.booking.reservation import Reason
from core.diagnosis import finding, money, processes_redis
from core.diagnosis.finding import Cause, Finding
from core.diagnosis.processes_redis import Processes
from core.diagnosis.steps_redis import step
from core.errors import StoreUnavailable
from core.figures.vitals_redis import Vitals
from core.languages import LANGUAGES, catalog, text
from core.schema_postgres import Schema, SchemaState, head
from core.sentences import PREFIX, Sentence, said
from tests.unit.test_sentences import ROOT, TOLD

FILES = sorted((ROOT / "core" / "diagnosis").glob("*.py"))
#: These put others together, or are a name: there is nothing to translate in them.
OF_ALL_LANGUAGES = {
    "board.damaged",
    "circuit.standing",
    "email.error",
    "lists.and",
    "reservation.standing",
    "schema.current",
    "store.trouble",
}
WHEN = datetime(2027, 7, 1, 20, 0, tzinfo=UTC)


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_each_sentence_of_the_diagnosis_is_translated(language: str) -> None:
    keys = {key for where, key, _ in TOLD if where.startswith(("core/diagnosis/", "core/schema_postgres"))}
    assert len(keys) > 150
    same = {key for key in keys if text(language, PREFIX + key) == text("en", PREFIX + key)}
    assert same == OF_ALL_LANGUAGES & keys
    hangul = re.compile("[가-힣]")
    assert language != "ko" or {key for key in keys - same if not hangul.search(text(language, PREFIX + key))} == set()


def test_a_finding_is_made_of_a_sentence_and_nothing_else() -> None:
    """mypy holds each call to it."""
    for made in (finding.passed, finding.warn, finding.fail):
        assert made.__annotations__["seen"] == "Sentence"
    assert Finding.__annotations__["said"] == "Sentence"
    # As `onsale diagnose --json` prints it.
    printed = orjson.loads(orjson.dumps(finding.warn("seat", Cause.SEAT_HELD, said("lock.none"))))
    assert printed["detail"] == "not locked"
    assert printed["said"] == {"key": "lock.none", "arguments": {}}


def step_names() -> Iterator[str]:
    """As they are written out in the code: of what is found, and of what comes to no end."""
    at = {"passed": 0, "warn": 0, "fail": 0, "step": 0, "_step": 0, "_store": 0, "lock": 1}
    for file in FILES:
        tree = ast.parse(file.read_text())
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args) if name in at:
                    match args[at[name] :]:
                        case [ast.Constant(value=str(told)), *_]:
                            yield told
                        case [ast.JoinedStr(values=[ast.Constant(value=str(told)), *_]), *_]:
                            yield told.strip()
                case ast.Assign(targets=[ast.Name(id="step")], value=ast.Constant(value=str(told))):
                    yield told
                case ast.Assign(targets=[ast.Tuple(elts=[ast.Name(id="step"), *_])], value=ast.Tuple(elts=[told, *_])):
                    assert isinstance(told, ast.Constant)
                    yield str(told.value)
                case ast.For(target=ast.Tuple(elts=[ast.Name(id="name"), *_]), iter=ast.Tuple(elts=rows)):
                    for row in rows:
                        assert isinstance(row, ast.Tuple)
                        assert isinstance(row.elts[0], ast.Constant)
                        yield str(row.elts[0].value)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_step_has_a_name(language: str) -> None:
    """Both ways; the one in English is the step's own."""
    names = {f"ops.step.{re.sub('[ -]', '_', name)}": name for name in step_names()}
    known = {str(message.id) for message in catalog(language) if str(message.id).startswith("ops.step.")}
    assert known == names.keys()
    if language == "en":
        assert {key for key, name in names.items() if text("en", key).removesuffix(" %(name)s") != name} == set()


def row(**more: Any) -> dict[str, Any]:
    return {
        "id": UUID(int=1),
        "status": "PAYING",
        "reason": None,
        "updated_at": WHEN,
        "seats": [3, 4],
        "amount": 1500000,
        "currency": "KRW",
        "number": 1,
        "payment": "OPEN",
        "tries": 2,
        "provider": "toss",
        "error_code": None,
        "owed": 0,
        "refund_code": None,
        "order_no": "o",
        "claimed": False,
        "claimed_by": None,
        "claim_seconds": None,
        "forgotten": False,
        "overdue": False,
        "needs_person_at": None,
        "deadline": WHEN,
    } | more


AT = "2027-07-01T20:00:00.000Z"
FACTS = f"PAYING since {AT}, seats [3, 4], 1500000 KRW"
PAYMENT = "attempt 1 OPEN, 2 tries, provider toss"
OWED = {"owed": 2, "refund_code": "REFUSED", "needs_person_at": WHEN}


@pytest.mark.parametrize(
    ("more", "english"),
    [
        ({}, f"{FACTS}; {PAYMENT}"),
        ({"order_no": None}, f"{FACTS}; it has no order"),
        (
            {"claimed": True, "claimed_by": "h:1:x", "claim_seconds": 12.4},
            f"{FACTS}; {PAYMENT}; claimed by h:1:x, which is gone, for 12 s more",
        ),
        ({"forgotten": True}, f"{FACTS}; {PAYMENT}; its time is over, and nothing is due"),
        ({"overdue": True, "owed": 1}, f"{FACTS}; {PAYMENT}; 1 refunds owed; due, and no process works on it"),
        (
            OWED,
            f"{FACTS}; {PAYMENT}; 2 refunds owed, code REFUSED; refused, a person is needed since {AT}",
        ),
        (
            {"reason": Reason.CHECKING},
            f"{FACTS}; {PAYMENT}; settled by {AT} at the latest",
        ),
        (
            {"status": "FAILED", "reason": "gave_up", "error_code": "E1", "provider": None},
            f"FAILED since {AT}, seats [3, 4], 1500000 KRW; "
            "attempt 1 OPEN, 2 tries, provider none, code E1; reason gave_up",
        ),
    ],
)
async def test_what_is_told_of_a_reservation_reads_as_before(more: dict[str, Any], english: str) -> None:
    [told] = [one async for one in money.reservation(row(**more), lambda name: True)]
    assert told.detail == english
    assert told.said.in_words("ko") != english


def test_what_is_told_of_processes_reads_as_before() -> None:
    def vitals(pid: int, key: str) -> Any:
        made = object.__new__(Vitals)
        for name, value in {"pid": pid, "host": "h", "key": key, "limited": {"ip:1": pid, "ip:2": 1}}.items():
            object.__setattr__(made, name, value)
        return made

    found = Processes((vitals(7, "a"), vitals(8, "b")), ())
    [differs] = processes_redis.signing_keys(found, "c")
    assert differs.detail == "process 7 on h, process 8 on h: another key than the installation's"
    [refused] = processes_redis.refused_callers(found, None)
    assert refused.detail == "2 callers refused in the last minute: ip:1 15 times, ip:2 2 times"
    assert refused.said.in_words("ko") == "최근 1분 동안 호출이 거절된 곳 2곳: ip:1 15번, ip:2 2번"


@pytest.mark.parametrize(
    ("schema", "english"),
    [
        (Schema(SchemaState.CURRENT, "0032", "0030"), "0032"),
        (Schema(SchemaState.NEWER, "0099", "0030"), f"0099, of a newer release that {head()} can work with"),
        (
            Schema(SchemaState.EMPTY),
            "the database is empty: nothing has been set up yet. `onsale serve` or `onsale migrate` does it",
        ),
        (
            Schema(SchemaState.OLDER, "0001", "0001"),
            f"the database's schema is that of an older release (0001; this one has {head()}): run "
            "`onsale migrate`, or start `onsale serve`, which does it",
        ),
        (
            Schema(SchemaState.TOO_NEW, "0099", "0098"),
            "the database's schema is that of a newer release (0099), and needs a program that knows 0098; this one "
            f"knows {head()}: install the newer release here as well",
        ),
    ],
)
def test_what_is_told_of_a_schema_reads_as_before(schema: Schema, english: str) -> None:
    assert schema.told().in_words() == english
    assert schema.problem == ("" if schema.usable else english)


@pytest.mark.parametrize(
    ("raised", "english"),
    [
        (lambda: StoreUnavailable("postgresql"), "went away on the way: StoreUnavailable: "),
        (lambda: ValueError("odd\nmore"), "cannot be read: ValueError: odd"),
    ],
)
async def test_a_step_that_fails_reads_as_before(raised: Callable[[], Exception], english: str) -> None:
    async def steps() -> AsyncIterator[Finding]:
        raise raised()
        yield

    [told] = await step("seat", steps(), away=Cause.REDIS_AWAY)
    assert told.detail.startswith(english)
    assert isinstance(told.said, Sentence)
