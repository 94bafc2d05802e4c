"""The templates of e-mails: each is compiled once in a process."""

from __future__ import annotations

from collections.abc import Mapping

import jinja2

_jinja = jinja2.Environment(
    loader=jinja2.PackageLoader("core.notifications"),
    autoescape=jinja2.select_autoescape(["html"]),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    # They are the program's own: no look at the file's date with each e-mail.
    auto_reload=False,
)


def rendered(name: str, values: Mapping[str, object]) -> tuple[str, str]:
    """The e-mail's text, and its page."""
    return _jinja.get_template(f"{name}.txt").render(values), _jinja.get_template(f"{name}.html").render(values)
