"""Programs that are no Python packages: found, or installed by `scripts/debian_tool.sh`; else a loud skip."""

from __future__ import annotations

import functools
import subprocess
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@functools.cache
def _find(program: str, package: str) -> tuple[str, str]:
    """The path, or why there is none."""
    done = subprocess.run(
        [ROOT / "scripts" / "debian_tool.sh", program, package], capture_output=True, text=True, timeout=600
    )
    return done.stdout.strip(), (done.stderr.strip().splitlines() or [""])[-1]


def tool(program: str, package: str) -> str:
    """Its path."""
    path, reason = _find(program, package)
    if not path:
        warnings.warn(f"\n{'!' * 100}\nNOT TESTED: {reason}\n{'!' * 100}", stacklevel=2)
        pytest.skip(reason)
    return path
