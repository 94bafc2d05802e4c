"""R11: the longest test files begin first, so that no process of a run works on alone at its end."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import LONGEST, WITH_KAFKA

TESTS = Path(__file__).parents[1]


def test_each_file_that_is_named_is_there() -> None:
    """One that has another name now would begin among the others, unsaid."""
    files = [file for file in LONGEST if file.startswith("tests/")]
    assert len(files) == len(LONGEST) - 1  # those with a Kafka are one
    assert [file for file in files if not (TESTS.parent / file).is_file()] == []
    assert [name for name in WITH_KAFKA if not (TESTS / "integration" / name).is_file()] == []
