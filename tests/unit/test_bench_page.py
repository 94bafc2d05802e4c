"""`make bench-page`: what counts as script of a frame (V1)."""

from __future__ import annotations

from typing import Any

from bench.page import Frame, worst_frame


def mark(at: int, thread: int = 1) -> dict[str, Any]:
    return {"name": "bench-frame", "ph": "I", "pid": 7, "tid": thread, "ts": at}


def ran(name: str, at: int, duration: int, thread: int = 1) -> dict[str, Any]:
    return {"name": name, "ph": "X", "pid": 7, "tid": thread, "ts": at, "dur": duration}


def test_all_script_of_a_frame_counts_once_and_timers_too() -> None:
    trace = [
        mark(0),
        ran("TimerFire", 900, 4300),
        ran("FunctionCall", 1000, 4000),  # of the timer
        ran("FunctionCall", 2000, 500),  # called by it
        ran("RunMicrotasks", 8000, 3000),  # runs on into the next frame, which it begins
        mark(10000),
        ran("FunctionCall", 12000, 4000),
        ran("FunctionCall", 12000, 9000, thread=2),  # a worker's
        ran("Paint", 17000, 2000),
        mark(20000),
        ran("FunctionCall", 21000, 50000),  # when the moves are over
    ]
    assert worst_frame(trace) == Frame(6.0, 6.0)
    assert worst_frame(trace[5:]) == Frame(4.0, 4.0)


def test_the_worst_frame_is_the_one_that_costs_most_and_not_the_one_that_other_programs_held_up() -> None:
    trace = [
        mark(0),
        ran("FunctionCall", 1000, 9000) | {"tdur": 3000},
        mark(10000),
        ran("FunctionCall", 12000, 8000) | {"tdur": 4000},
        mark(20000),
    ]
    assert worst_frame(trace) == Frame(8.0, 4.0)
