"""stripe-mock: Stripe's own server that checks each request against the API's specification. It needs Go to be built.

It is built once into `.cache` of the repository. It remembers nothing, finds whatever id it is asked for, and answers
with the specification's examples: so it proves the shape of what we send, and nothing of what follows from it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.payment_servers import free_port

_CACHE = Path(__file__).parents[1] / ".cache" / "go"
_MODULE = "github.com/stripe/stripe-mock@latest"
_BUILD_SECONDS = 600
_START_SECONDS = 60


def binary() -> Path:
    """Skips the test, with the reason, where it can be neither found nor built."""
    built = _CACHE / "stripe-mock"
    if built.exists():
        return built
    go = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
    if go is None:
        pytest.skip("STRIPE IS NOT CHECKED AGAINST stripe-mock: there is no Go here to build it with")
    environment = {**os.environ, "GOBIN": str(_CACHE), "GOFLAGS": "-mod=mod"}
    done = subprocess.run(
        [go, "install", _MODULE], env=environment, capture_output=True, text=True, timeout=_BUILD_SECONDS
    )
    if done.returncode:
        pytest.skip(f"STRIPE IS NOT CHECKED AGAINST stripe-mock: `go install {_MODULE}` failed: {done.stderr[-300:]}")
    return built


@contextlib.contextmanager
def stripe_mock() -> Iterator[str]:
    """Its address, while it runs."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [binary(), "-http-addr", f"127.0.0.1:{port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            with contextlib.suppress(httpx.HTTPError):
                httpx.get(f"{address}/v1/charges", auth=("sk_test_123", ""), trust_env=False)
                break
            if time.monotonic() > deadline or process.poll() is not None:
                pytest.fail("stripe-mock does not start")
            time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait()
