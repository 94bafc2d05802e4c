"""What is told to operators: a key with what stands in its sentence, put into words in the reader's language.

The words are in `core/locale/said.<language>.po` under `ops.said.KEY`. The shell, the log and the API say them in
English; the API answers key and arguments as well, and the console says them in its own language
(`static/js/ops/said.js`).
`tests/unit/test_sentences.py` holds keys and arguments of the code to those of the texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.languages import DEFAULT, text

PREFIX = "ops.said."


@dataclass(frozen=True, slots=True)
class Sentence:
    """`arguments`: names, places and numbers; a sentence that is part of this one, or several, with commas between."""

    key: str
    arguments: Mapping[str, Argument]

    def in_words(self, language: str = DEFAULT) -> str:
        values = {name: _in_words(value, language) for name, value in self.arguments.items()}
        return text(language, PREFIX + self.key, **values)

    def told(self) -> dict[str, Any]:
        """As the API answers it: `{key, arguments}`."""
        return {"key": self.key, "arguments": {name: _told(value) for name, value in self.arguments.items()}}


Argument = str | int | float | Sentence | Sequence[Sentence]


def _in_words(value: Argument, language: str) -> str | int | float:
    if isinstance(value, Sentence):
        return value.in_words(language)
    if isinstance(value, (str, int, float)):
        return value
    return ", ".join(one.in_words(language) for one in value)


def _told(value: Argument) -> Any:
    if isinstance(value, Sentence):
        return value.told()
    return value if isinstance(value, (str, int, float)) else [one.told() for one in value]


def said(key: str, /, **arguments: Argument) -> Sentence:
    """The one way to make a sentence: `key` is written out where it is called, so that a test finds it."""
    return Sentence(key, arguments)
