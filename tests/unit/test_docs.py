"""What the documentation says is there is there: links, commands, targets, and no secrets of the workshop."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in _LINK.findall(page.read_text()):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize(
    "command",
    [
        "serve",
        "worker",
        "event create",
        "event open",
        "event close",
        "event list",
        "draw verify",
        "plan check",
        "rush",
        "crowd",
        "diagnose",
        "reconcile",
        "replay",
        "messages dead list",
        "messages dead retry",
    ],
)
def test_every_command_has_a_help_page(command: str) -> None:
    result = CliRunner().invoke(app, [*command.split(), "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_the_readme_names_targets_that_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"`?make ([a-z]+)", (ROOT / "README.md").read_text())):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_changelog_cites_rows() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert "## [Unreleased]" in text
    assert len(set(re.findall(r"\b[DS]\d+\b", text))) > 20


def test_the_tree_has_no_paths_of_a_machine() -> None:
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    for name in files:
        if name.endswith((".py", ".md", ".js", ".html", ".yml", ".toml", ".sh")) and not name.startswith(
            "static/vendor/"
        ):
            text = (ROOT / name).read_text(errors="replace")
            assert "/work/" + "main" not in text, name


#: Where rows and rules are cited.
CITING = (".py", ".lua", ".sql", ".js", ".md")
_ROW = re.compile(r"(?<![%\w'\"/.-])[DSRPFTVE]\d{1,2}(?![\w.])")


def citing() -> list[Path]:
    """The project's own texts that are read by people: code, tests, pages."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return [
        ROOT / name for name in listed if name.endswith(CITING) and "vendor/" not in name and (ROOT / name).exists()
    ]


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
