"""`make fuzz`: Schemathesis against a running server by its own `/openapi.json`, as a visitor and as an operator.

A fault of the server (5xx), and an answer that is not described (status, media type, schema, header), fail the run.
The stores are the program's own, in a folder that goes with the run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from core.embedded import engines
from core.settings import Settings
from tests.integration.onsale_process import Serving, serving
from tests.sale_server import answered

ROOT = Path(__file__).resolve().parent.parent
SECONDS = int(os.environ.get("FUZZ_SECONDS", "120"))
OPERATOR = "operator-of-the-fuzz-run"
SLUG = "demo"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
)
SETTINGS = {
    "ONSALE_RATE_LIMITS": "off",
    "ONSALE_OPERATOR_TOKEN": OPERATOR,
    # Nobody beats for the visitor.
    "ONSALE_ACTIVE_GRACE_SECONDS": "3600",
}
#: A made-up slug is a 404 each time: calls about one sale are about the demonstration sale.
CONFIG = f"""
[parameters]
"path.slug" = "{SLUG}"
"""


def new_visitor(url: str) -> str:
    """The token of a visitor who has been let in."""
    token = str(answered("POST", f"{url}/api/visitors").json()["token"])
    answered("POST", f"{url}/api/events/{SLUG}/queue", json={}, headers={"Authorization": f"Bearer {token}"})
    return token


def attack(url: str, token: str, folder: Path) -> bool:
    """Whether nothing was found."""
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        f"--config-file={folder / 'schemathesis.toml'}",
        "run",
        f"{url}/openapi.json",
        f"--header=Authorization: Bearer {token}",
        f"--checks={','.join(CHECKS)}",
        f"--max-time={SECONDS / 2:.0f}",
        "--continue-on-failure",
        "--request-timeout=30",
        "--suppress-health-check=all",
        "--generation-database=none",
        "--warnings=off",
        "--no-color",
    ]
    return subprocess.run(command, cwd=folder).returncode == 0


def both(server: Serving, folder: Path) -> list[bool]:
    (folder / "schemathesis.toml").write_text(CONFIG)
    results = []
    # The operator closes the sale sooner or later.
    for name, token in (("a visitor", new_visitor(server.url)), ("an operator", OPERATOR)):
        print(f"\nfuzz: as {name}", flush=True)
        results.append(attack(server.url, token, folder))
        if server.process.poll() is not None:
            print(f"fuzz: the server has ended:\n{server.errors}", flush=True)
            results[-1] = False
    return results


def main() -> int:
    with (
        tempfile.TemporaryDirectory(prefix="onsale-fuzz-") as name,
        engines(Settings.load(data=Path(name)), durable=False),
        serving(Path(name), "--demo", ONSALE_DATA=name, **SETTINGS) as server,
    ):
        results = both(server, Path(name))
        if not all(results):
            print("\n".join(server.errors.splitlines()[-40:]), flush=True)
    print(f"fuzz: {results.count(True)} passed, {results.count(False)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
