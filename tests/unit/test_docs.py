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
