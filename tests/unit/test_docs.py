"""What the documentation says is there is there: links, commands, targets, and no secrets of the workshop."""

from __future__ import annotations

import functools
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
#: Where the program tells people what to run: messages, replies, help texts.
CODE = sorted(
    path
    for path in [*ROOT.glob("core/**/*.py"), *ROOT.glob("cli/**/*.py"), *ROOT.glob("core/locale/*.po")]
    if "onsale " in path.read_text()
)


@functools.cache
def listed() -> list[Path]:
    """What the repository has, as far as it is there."""
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return [ROOT / name for name in names if (ROOT / name).exists()]


_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in _LINK.findall(page.read_text()):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_is_named_is_there(page: Path) -> None:
    """By its whole path, or by the end of it. The changelog tells of what was."""
    if page.name == "CHANGELOG.md":
        return
    files = [path.relative_to(ROOT) for path in listed()]
    known = {f"/{path}" for file in files for path in (file, *file.parents)}
    named = {name.rstrip("/") for name in re.findall(r"`([a-z][\w./-]*/[\w./-]+)`", page.read_text())}
    ours = {name for name in named if "NAME" not in name and "XX" not in name}
    assert sorted(name for name in ours if not any(path.endswith(f"/{name}") for path in known)) == []


#: A command in backticks or on a line of its own, up to what is no word of it; and `make` of the same kind.
_COMMAND = re.compile(r"(?:`|^|\$ )onsale ([a-z][^`\n#>]*)", re.MULTILINE)
_TARGET = re.compile(r"(?:`|^)make ([a-z-]+)", re.MULTILINE)


@functools.cache
def whole_program() -> Any:
    return typer.main.get_command(app)


def wrong_in(command: str) -> str | None:
    """What of `onsale COMMAND` is not there: a command, or an option of it."""
    node = whole_program()
    words = [word.strip("()[],.;:…\\") for word in command.partition(" | ")[0].split()]
    while isinstance(node, TyperGroup):
        context = typer.Context(node)
        # `onsale event create|update`, `onsale event`: one of several, or the group as a whole.
        names = words.pop(0).split("|") if words and not words[0].startswith("-") else []
        for name in names:
            if name not in node.list_commands(context):
                return f"there is no command {name!r}"
        if not names:
            break
        node = node.get_command(context, names[0])
    known = {option for parameter in node.params for option in parameter.opts} | {"--help", "--version"}
    return next((f"there is no {word}" for word in words if word.startswith("--") and word not in known), None)


@pytest.mark.parametrize("path", [*PAGES, *CODE], ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_is_named_is_there(path: Path) -> None:
    """In the documents, and in what the program itself tells people to do."""
    if path.name == "CHANGELOG.md":
        return
    text = path.read_text()
    found = {command: wrong_in(command) for command in _COMMAND.findall(text)}
    assert {command: wrong for command, wrong in found.items() if wrong} == {}
    makefile = (ROOT / "Makefile").read_text()
    assert [one for one in _TARGET.findall(text) if not re.search(rf"^{one}:", makefile, re.MULTILINE)] == []


def commands(node: Any, *before: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, by its words."""
    if not isinstance(node, TyperGroup):
        yield before, node
        return
    context = typer.Context(node)
    for name in node.list_commands(context):
        found = node.get_command(context, name)
        if found is not None and not found.hidden:
            yield from commands(found, *before, name)


def test_every_command_and_option_says_what_it_is() -> None:
    found = dict(commands(whole_program()))
    assert len(found) > 25
    for words, command in found.items():
        result = CliRunner().invoke(app, [*words, "--help"])
        assert result.exit_code == 0
        assert f"Usage: onsale {' '.join(words)}" in result.output
        silent = [one.name for one in command.params if one.name != "help" and not one.help]
        assert silent == [], words


def test_the_lint_of_commands_sees_what_it_is_for() -> None:
    assert wrong_in("event open gala --json") is None
    assert wrong_in("event sell gala") == "there is no command 'sell'"
    assert wrong_in("event open gala --at noon") == "there is no --at"
    assert _COMMAND.findall("`onsale code make`") == ["code make"]


def test_every_room_is_in_the_architecture() -> None:
    rooms = {f"`{path.parent.relative_to(ROOT)}`" for path in ROOT.glob("core/*/__init__.py")}
    page = (ROOT / "docs" / "architecture.md").read_text()
    assert [room for room in sorted(rooms) if f"| {room} |" not in page] == []
    flow = (ROOT / "core" / "__init__.py").read_text()
    assert [room for room in sorted(rooms) if f"{room[6:-1]}/" not in flow] == []


def test_the_changelog_cites_rows() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert "## [Unreleased]" in text
    assert len(set(re.findall(r"\b[DS]\d+\b", text))) > 20


def test_the_tree_has_no_paths_of_a_machine() -> None:
    here = str(ROOT)
    for path in listed():
        if path.suffix in (".py", ".md", ".js", ".html", ".yml", ".toml", ".sh") and "vendor/" not in str(path):
            assert here not in path.read_text(errors="replace"), f"{path} names this machine's {here}"


#: Where rows and rules are cited.
CITING = (".py", ".lua", ".sql", ".js", ".md")
_ROW = re.compile(r"(?<![%\w'\"/.-])[DSRPFTVE]\d{1,2}(?![\w.])")


def citing() -> list[Path]:
    """The project's own texts that are read by people: code, tests, pages."""
    return [path for path in listed() if path.name.endswith(CITING) and "vendor/" not in str(path)]


def test_every_row_that_is_cited_is_in_the_requirements() -> None:
    """And the table has no gap: the rows of each letter are numbered from 1."""
    rows = re.findall(r"^\| ([A-Z])(\d+) \|", (ROOT / "docs" / "requirements.md").read_text(), re.MULTILINE)
    letters = {letter: [int(number) for other, number in rows if other == letter] for letter, _ in rows}
    assert {letter: len(numbers) for letter, numbers in letters.items()}.items() >= {"S": 35, "R": 11, "P": 11}.items()
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in letters.values())
    known = {letter + number for letter, number in rows}
    cited = {(row, path) for path in citing() for row in _ROW.findall(path.read_text())}
    assert len(cited) > 300
    assert sorted(f"{row} in {path.relative_to(ROOT)}" for row, path in cited if row not in known) == []


def test_every_rule_that_is_cited_is_in_the_architecture() -> None:
    rules = re.findall(r"^(\d+)\. ", (ROOT / "docs" / "architecture.md").read_text(), re.MULTILINE)
    assert rules == [str(number) for number in range(1, 12)]
    cited = {
        (number, path)
        for path in citing()
        for numbers in re.findall(r"\b[Rr]ules? ((?:\d+(?:, | and )?)+)", path.read_text())
        for number in re.findall(r"\d+", numbers)
    }
    assert len(cited) > 30
    assert [f"{number} in {path.relative_to(ROOT)}" for number, path in cited if number not in rules] == []


def test_nothing_is_cited_that_is_not_here() -> None:
    """A reader has the repository, and no design paper or tracker of its makers."""
    elsewhere = re.compile(r"\bDESIGN\b|\b[Ii]ssue \d|REQUIREMENTS\.md|PAYMENTS\.md")
    own = Path(__file__)
    assert [path.name for path in citing() if path != own and elsewhere.search(path.read_text())] == []


def test_every_decision_is_in_the_index() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = _LINK.findall((folder / "README.md").read_text())
    assert sorted(listed) == sorted(page.name for page in folder.glob("*.md") if page.name != "README.md")


def test_what_was_measured_stands_in_one_place() -> None:
    """E1: scaling.md refers to the tables of one run; what it calculates from them is written by the same run."""
    text = (ROOT / "docs" / "scaling.md").read_text()
    own = re.sub(r"<!-- capacity -->.*<!-- /capacity -->", "", text, flags=re.DOTALL)
    assert own != text
    # Messages and buffers that are set are no measurements; what a machine did is.
    measured = re.compile(r"[\d.,]*\d (?:KiB|MiB|us|bytes|deliveries|holds|purchases|calls|visitors served)\b")
    assert measured.findall(own) == []
    assert measured.search("30 KiB of the web process each, 14,000 holds a second")
    assert own.count("(benchmarks.md)") > 1
