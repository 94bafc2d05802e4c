"""Programs that are no Python packages: found, or installed by `scripts/debian_tool.sh`; else a loud skip."""

from __future__ import annotations

import functools
import subprocess
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@functools.cache
def _find(*command: str) -> tuple[str, str]:
    """The path that a script prints, or why there is none."""
    done = subprocess.run([ROOT / "scripts" / command[0], *command[1:]], capture_output=True, text=True, timeout=1200)
    return done.stdout.strip(), (done.stderr.strip().splitlines() or [""])[-1]


def script(*command: str) -> str:
    """The path of the program that a script finds or installs: `script("geckodriver.sh")`."""
    path, reason = _find(*command)
    if not path:
        warnings.warn(f"\n{'!' * 100}\nNOT TESTED: {reason}\n{'!' * 100}", stacklevel=2)
        pytest.skip(reason)
    return path


def tool(program: str, package: str) -> str:
    """The path of a Debian package's program."""
    return script("debian_tool.sh", program, package)
