"""Firefox and WebKitGTK (the engine of Safari) over WebDriver, each in a process of its own.

Programs come from Debian's packages, geckodriver from Mozilla's crate; nothing is downloaded by Selenium itself. A
machine that cannot have one of them skips that browser, loudly.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.firefox.service import Service as GeckoDriver
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.webkitgtk.service import Service as WebKitDriver

from tests.debian_tools import script, tool
from tests.waits import PATIENCE

#: English, whatever the machine speaks.
_ENGLISH = {"LANG": "C.UTF-8", "LANGUAGE": "en_GB"}
SIZE = (1280, 900)


@contextlib.contextmanager
def firefox(folder: Path) -> Iterator[WebDriver]:
    options = webdriver.FirefoxOptions()
    options.binary_location = tool("firefox-esr", "firefox-esr")
    options.add_argument("-headless")
    options.set_preference("intl.accept_languages", "en-GB, en")
    service = GeckoDriver(script("geckodriver.sh"), log_output=str(folder / "geckodriver.log"))
    driver = webdriver.Firefox(options=options, service=service)
    try:
        driver.set_script_timeout(PATIENCE)
        driver.set_window_size(*SIZE)
        yield driver
    finally:
        driver.quit()


@contextlib.contextmanager
def webkit(folder: Path) -> Iterator[WebDriver]:
    """WebKitGTK has no headless mode: it draws on a screen in memory."""
    path = tool("WebKitWebDriver", "webkit2gtk-driver")
    with _screen(tool("Xvfb", "xvfb")) as display:
        environment = os.environ | _ENGLISH | {"DISPLAY": display, "HOME": str(folder)}
        service = WebKitDriver(path, log_output=str(folder / "webkit.log"), env=environment)
        driver = webdriver.WebKitGTK(options=webdriver.WebKitGTKOptions(), service=service)
        try:
            driver.set_script_timeout(PATIENCE)
            driver.set_window_size(*SIZE)
            yield driver
        finally:
            driver.quit()


@contextlib.contextmanager
def _screen(xvfb: str) -> Iterator[str]:
    """The name of a new X display."""
    said, says = os.pipe()
    command = [xvfb, "-displayfd", str(says), "-screen", "0", "1400x1000x24", "-nolisten", "tcp"]
    process = subprocess.Popen(command, pass_fds=[says], stderr=subprocess.DEVNULL)
    os.close(says)
    try:
        with os.fdopen(said) as answer:
            number = answer.readline().strip()
        assert number, "Xvfb did not start"
        yield f":{number}"
    finally:
        process.terminate()
        process.wait()
