"""What is told to operators: a key with what stands in its sentence, put into words in the reader's language.

The words are in `core/locale/said.<language>.po` under `ops.said.KEY`. The shell, the log and the API say them in
English; the API answers key and arguments as well, and the console says them in its own language
(`static/js/ops/said.js`).
`tests/unit/test_sentences.py` holds keys and arguments of the code to those of the texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.languages import DEFAULT, text

PREFIX = "ops.said."


@dataclass(frozen=True, slots=True)
class Sentence:
    """`arguments`: names, places and numbers; or a sentence that is part of this one."""

    key: str
    arguments: Mapping[str, str | int | float | Sentence]

    def in_words(self, language: str = DEFAULT) -> str:
        values = {
            name: value.in_words(language) if isinstance(value, Sentence) else value
            for name, value in self.arguments.items()
        }
        return text(language, PREFIX + self.key, **values)

    def told(self) -> dict[str, Any]:
        """As the API answers it: `{key, arguments}`."""
        arguments = {
            name: value.told() if isinstance(value, Sentence) else value for name, value in self.arguments.items()
        }
        return {"key": self.key, "arguments": arguments}


def said(key: str, /, **arguments: str | int | float | Sentence) -> Sentence:
    """The one way to make a sentence: `key` is written out where it is called, so that a test finds it."""
    return Sentence(key, arguments)
