"""An event's description: Markdown as an organiser writes it, as HTML for a page and as text for an e-mail.

CommonMark by markdown-it-py, with raw HTML left as the text that it is; what comes out goes through ammonia (nh3),
whose list of elements and of addresses below is all that a page can ever get, whatever the first has let pass.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_ELEMENTS: Final = {"a", "blockquote", "br", "code", "em", "h3", "h4", "hr", "li", "ol", "p", "pre", "strong", "ul"}
_ADDRESSES: Final = {"https", "http", "mailto", "tel"}
#: Deeper than anybody writes: what nests without an end costs without an end.
_MOST_NESTING: Final = 12

#: A page has a title and parts of its own: the largest heading of a description is its third.
_HEADINGS: Final = {"h1": "h3", "h2": "h4", "h3": "h4", "h4": "h4", "h5": "h4", "h6": "h4"}


@functools.cache
def _markdown() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False, "maxNesting": _MOST_NESTING})


@functools.lru_cache(maxsize=64)
def as_html(description: str) -> str:
    """Safe to be put into a page as it is; '' for none. Links leave the page without telling where from.

    Pictures are left out: an event has one of its own, and others would tell a stranger's server who looks at the page.
    """
    # Here: both take a while to load, and most of what imports this module shows no description.
    import nh3

    markdown = _markdown()
    tokens = markdown.parse(description)
    for token in tokens:
        token.tag = _HEADINGS.get(token.tag, token.tag)
    return nh3.clean(
        markdown.renderer.render(tokens, markdown.options, {}),
        tags=_ELEMENTS,
        # And nothing on all elements: by itself ammonia lets `title` and `lang` through.
        attributes={"a": {"href"}, "*": set()},
        url_schemes=_ADDRESSES,
        link_rel="nofollow noopener noreferrer",
    ).strip()


@functools.lru_cache(maxsize=64)
def as_text(description: str) -> str:
    """For an e-mail's text and a calendar: paragraphs between empty lines, a dash before each point of a list, a link's
    address behind its words.
    """
    text = ""
    lists = 0
    point = ""
    together = False  # the last block was a point of the list that goes on
    for token in _markdown().parse(description):
        if token.type in ("bullet_list_open", "ordered_list_open"):
            lists += 1
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            lists -= 1
            together = together and lists > 0
        elif token.type == "list_item_open":
            point = "  " * (lists - 1) + (f"{token.info}. " if token.info else "- ")
        elif token.type in ("inline", "fence", "code_block"):
            block = _words(token.children) if token.children is not None else token.content.rstrip("\n")
            text += ("\n" if point and together else "\n\n") + point + block
            together = bool(point)
            point = ""
    return text.strip("\n")


def _words(tokens: list[Token]) -> str:
    text = ""
    address = ""
    begin = 0
    for token in tokens:
        if token.type == "link_open":
            address, begin = str(token.attrGet("href") or ""), len(text)
        elif token.type == "link_close":
            if address.removeprefix("mailto:") != text[begin:]:
                text += f" ({address})"
        elif token.type in ("softbreak", "hardbreak"):
            text += "\n"
        else:
            text += token.content
    return text
