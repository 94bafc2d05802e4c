"""S31: when an alert fires, when it is over, and what is told: the rules, held against any sequence of looks."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from core.diagnosis.finding import Cause, advice
from core.diagnosis.health_check import WATCHED
from core.diagnosis.health_watch import RULES
from core.notifications import alerts
from core.notifications.alerts import GROUP_SECONDS, MOST_AN_HOUR, Book, Rule, Sighting

NAMES = ("redis_away", "relay_stuck", "board_lost")


def sighting(name: str, subject: str = "-", detail: str = "it is so") -> Sighting:
    return Sighting(name, subject, "fail", detail, "do this")


rules = st.builds(Rule, bad=st.integers(1, 4), good=st.integers(1, 4))
#: A look at one check: bad, well, or not to be told.
verdicts = st.sampled_from(["bad", "well", "unknown"])


def looked(book: Book, verdict: str, rule: Rule, at: float) -> Book:
    seen = [sighting("redis_away")] if verdict == "bad" else []
    unknown = {"redis_away"} if verdict == "unknown" else set()
    return alerts.look(book, seen, unknown, {"redis_away": rule}, at)


def expected(looks: Sequence[str], rule: Rule) -> bool:
    """Fires after `bad` bad looks in a row, is over after `good` good ones in a row; the others say nothing."""
    firing, bad, good = False, 0, 0
    for verdict in looks:
        if verdict == "unknown":
            continue
        bad, good = (bad + 1, 0) if verdict == "bad" else (0, good + 1)
        if bad >= rule.bad:
            firing = True
        if firing and good >= rule.good:
            firing = False
    return firing


@given(looks=st.lists(verdicts, max_size=40), rule=rules)
def test_it_fires_and_ends_exactly_when_the_rule_says(looks: list[str], rule: Rule) -> None:
    book = Book()
    for at, verdict in enumerate(looks):
        book = looked(book, verdict, rule, float(at))
        assert bool(alerts.firing(book)) == expected(looks[: at + 1], rule)


@settings(max_examples=200)
@given(
    looks=st.lists(st.tuples(verdicts, st.booleans()), min_size=10, max_size=60),
    rule=st.builds(Rule, bad=st.integers(1, 2), good=st.integers(1, 2)),
)
def test_what_people_were_told_is_what_is_true_once_all_is_told(looks: list[tuple[str, bool]], rule: Rule) -> None:
    """However looks and messages interleave: fired and resolved alternate, nothing is told twice, nothing is lost."""
    book, believed = Book(), False
    for at, (verdict, message_taken) in enumerate(looks):
        book = looked(book, verdict, rule, float(at))
        assert bool(alerts.firing(book)) == expected([verdict for verdict, _ in looks[: at + 1]], rule)
        if message_taken:
            for alert in alerts.news(book):
                assert alert.news == ("resolved" if believed else "fired") or (alert.news == "brief" and not believed)
                believed = alert.news == "fired"
            book = alerts.told(book, alerts.news(book), float(at))
            assert not alerts.news(book)
            assert believed == bool(alerts.firing(book))


@given(looks=st.lists(st.sets(st.sampled_from(NAMES)), max_size=30))
def test_the_book_is_bounded_and_survives_being_written_down(looks: list[set[str]]) -> None:
    """Another process goes on from the JSON as if it had always been there; what is over and told is forgotten."""
    adapter, book, other = TypeAdapter(Book), Book(), Book()
    for at, names in enumerate(looks):
        seen = [sighting(name) for name in sorted(names)]
        book = alerts.look(book, seen, set(), RULES, float(at))
        other = adapter.validate_json(adapter.dump_json(alerts.look(other, seen, set(), RULES, float(at))))
        assert other == book
        assert len(book.alerts) <= len(NAMES)
    for at in range(len(looks), len(looks) + 10):
        book = alerts.look(book, [], set(), RULES, float(at))
        book = alerts.told(book, alerts.news(book), float(at))
    assert not book.alerts


@given(pauses=st.one_of(st.lists(st.floats(0, 200), max_size=100), st.lists(st.floats(20, 100), min_size=80)))
def test_messages_are_a_minute_apart_and_few_in_an_hour(pauses: list[float]) -> None:
    book, now, sent = Book(), 1e9, []
    for pause in pauses:
        now += pause
        if alerts.may_send(book, now):
            book = alerts.told(book, [], now)
            sent.append(now)
        else:
            recent = [at for at in sent if now - at < 3600]
            assert now - recent[-1] < GROUP_SECONDS or len(recent) >= MOST_AN_HOUR, "kept back without a reason"
    assert all(later - earlier >= GROUP_SECONDS for earlier, later in itertools.pairwise(sent))
    assert all(sum(1 for at in sent if 0 <= last - at < 3600) <= MOST_AN_HOUR for last in sent)
    assert len(book.sent) <= MOST_AN_HOUR


def test_the_first_alert_leaves_at_once_and_those_of_the_next_minute_together() -> None:
    once = {name: Rule(bad=1, good=1) for name in NAMES}
    book = alerts.look(Book(), [sighting("redis_away")], set(), once, 0.0)
    assert alerts.may_send(book, 0.0)
    book = alerts.told(book, alerts.news(book), 0.0)
    for at in (10.0, 20.0, 59.0):
        seen = [sighting("redis_away"), sighting("relay_stuck"), sighting("board_lost", "summer")]
        book = alerts.look(book, seen, set(), once, at)
        assert not alerts.may_send(book, at)
    assert alerts.may_send(book, 60.0)
    assert {(alert.name, alert.subject) for alert in alerts.news(book)} == {
        ("relay_stuck", "-"),
        ("board_lost", "summer"),
    }


def test_a_refused_message_waits_as_it_was_asked_to() -> None:
    book = replace(Book(), not_before=100.0)
    assert not alerts.may_send(book, 99.0)
    assert alerts.may_send(book, 100.0)


def test_an_alert_says_since_when_and_what_is_true_now() -> None:
    book = Book()
    for at, detail in ((10.0, "81%"), (20.0, "85%"), (30.0, "90%")):
        book = alerts.look(book, [sighting("redis_memory", detail=detail)], set(), RULES, at)
    [alert] = alerts.firing(book)
    assert (alert.since, alert.detail) == (10.0, "90%")
    book = alerts.told(book, alerts.news(book), 30.0)
    for at in (40.0, 50.0, 60.0, 70.0):
        book = alerts.look(book, [], set(), RULES, at)
    [alert] = alerts.news(book)
    assert (alert.news, alert.ended) == ("resolved", 70.0)


def test_the_gravest_come_first() -> None:
    seen = [replace(sighting("dead_letters"), severity="warn"), sighting("redis_full")]
    book = alerts.look(Book(), seen, set(), RULES, 5.0)
    assert [alert.name for alert in alerts.firing(book)] == ["redis_full", "dead_letters"]


@pytest.mark.parametrize("wrong", [{"bad": 0}, {"good": 0}, {"bad": -1}])
def test_a_rule_needs_a_look(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="one look"):
        Rule(**wrong)


def test_every_rule_is_about_something_that_is_watched_and_has_advice() -> None:
    assert RULES.keys() <= WATCHED
    assert [cause for cause in WATCHED if advice(cause) == f"ops.advice.{cause}"] == []
    assert Cause.QUEUE_FULL not in WATCHED, "a full queue is what a sale looks like"
