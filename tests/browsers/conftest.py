"""Firefox and WebKitGTK in front of a real server: `make test-browsers`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.browsers.sale_page import SalePage
from tests.browsers.web_driver import firefox, webkit
from tests.sale_server import Server
from tests.sale_server import calm_bank as calm_bank
from tests.sale_server import events as events
from tests.sale_server import make_sale as make_sale
from tests.sale_server import server as server

OpenPage = Callable[..., SalePage]


@pytest.fixture(params=[firefox, webkit], ids=["firefox", "webkit"])
def open_page(
    request: pytest.FixtureRequest, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OpenPage]:
    """`open_page(slug)` or `open_page(path="/")`: a browser of its own, with cookies of its own."""
    with ExitStack() as stack:

        def open_one(slug: str = "", *, path: str = "") -> SalePage:
            driver = stack.enter_context(request.param(tmp_path_factory.mktemp("browser")))
            page = SalePage(driver)
            page.driver.get(server.url + (path or f"/events/{slug}"))
            return page

        yield open_one
