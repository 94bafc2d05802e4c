"""An event's description (T9): Markdown in, and nothing on the page that Markdown by itself would not make."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from core.venue.description import as_html, as_text

WRITTEN = """# Nacht der Bücher

Doors **19:00**, see [the house](https://house.example/a?b=1&c=2).
Second line.

- one
- two
  - three

1. first
2. second

> said
"""


def test_markdown_becomes_a_part_of_a_page() -> None:
    html = as_html(WRITTEN)
    assert "<h3>Nacht der Bücher</h3>" in html  # below the page's own headings
    assert "<strong>19:00</strong>" in html
    assert '<a href="https://house.example/a?b=1&amp;c=2" rel="nofollow noopener noreferrer">the house</a>' in html
    assert "<li>three</li>" in html
    assert as_html("") == ""


class Tags(HTMLParser):
    """Every element that a browser would make of a text, with its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, list[tuple[str, str | None]]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, attrs))


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "<javascript:alert(1)>",
        '[x](https://a.example "x" onmouseover="alert(1)")',
        '[x](https://a.example "what a browser shows beside it")',
        "![x](https://spy.example/pixel.png)",
        "[![x](https://spy.example/pixel.png)](https://a.example)",
        "<a href='x' style='position:fixed'>x</a>",
        "<!-- x --><svg/onload=alert(1)>",
        "```html\n<script>alert(1)</script>\n```",
    ],
)
def test_nothing_else_does(hostile: str) -> None:
    page = Tags()
    page.feed(as_html(hostile))
    assert {tag for tag, _ in page.found} <= {"p", "a", "pre", "code"}
    attributes = {name: value or "" for _, all_ in page.found for name, value in all_}
    assert attributes.keys() <= {"href", "rel"}
    assert attributes.get("href", "https://").startswith("https://")


def test_as_text_it_can_be_read_in_an_e_mail() -> None:
    assert as_text(WRITTEN) == (
        "Nacht der Bücher\n\nDoors 19:00, see the house (https://house.example/a?b=1&c=2).\nSecond line.\n\n"
        "- one\n- two\n  - three\n\n1. first\n2. second\n\nsaid"
    )
    assert as_text("<b>as it is</b>") == "<b>as it is</b>"


def test_a_text_that_nests_without_an_end_is_made_all_the_same() -> None:
    for text in (">" * 5000, "- " * 2500, "*" * 5000, "[" * 5000, "`" * 4999 + "x"):
        assert len(as_html(text)) < 50_000
        assert len(as_text(text)) < 50_000
