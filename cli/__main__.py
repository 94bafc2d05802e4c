"""`python -m cli` is `onsale`."""

from cli.main import run

run()
