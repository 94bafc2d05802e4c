"""Commands that are loaded when they are called: `onsale --help` needs none of them, and each command only itself."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group


class LazyCommand(NamedTuple):
    """`attribute` of `module` is a command's function, or the Typer of a group; `help` is the first paragraph of its
    own help, which a test compares.
    """

    name: str
    module: str
    attribute: str
    help: str

    def load(self) -> Any:
        """Typer's command."""
        found = getattr(import_module(self.module), self.attribute)
        if isinstance(found, typer.Typer):
            found.info.name = self.name
            return get_group(found)
        alone = typer.Typer(add_completion=False)
        alone.command(self.name)(found)
        return get_command(alone)


def lazy_group(commands: Iterable[LazyCommand]) -> type[TyperGroup]:
    """For `typer.Typer(cls=...)`: a group with these commands, in this order, before those that are there already."""
    known = {one.name: one for one in commands}

    class Group(TyperGroup):
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            self._listing = False
            shown = {one.name: TyperCommand(one.name, help=one.help) for one in known.values()}
            self.commands = {**shown, **self.commands}

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            if not self._listing and cmd_name in known:
                self.commands[cmd_name] = known[cmd_name].load()
            return super().get_command(ctx, cmd_name)

        def format_help(self, ctx: Any, formatter: Any) -> None:
            self._listing = True
            try:
                super().format_help(ctx, formatter)
            finally:
                self._listing = False

    return Group
