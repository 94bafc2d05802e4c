"""What a buyer does on the sale page, over WebDriver: the same words as `tests/e2e/sale_page.py`, in other browsers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from tests.sale_server import PATIENCE

T = TypeVar("T")

#: static/js/seat_map/glyphs.js
_LOOKS = ("free", "held", "sold", "blocked", "own", "asked")


class SalePage:
    """One browser on the sale page."""

    def __init__(self, driver: WebDriver) -> None:
        self.driver = driver

    def until(self, condition: Callable[[WebDriver], T], what: str) -> T:
        """What `condition` returns once it is true; an element that is drawn anew meanwhile is looked for again."""
        wait = WebDriverWait(self.driver, PATIENCE, 0.05, [StaleElementReferenceException])
        return wait.until(condition, f"in vain: {what}")

    def run(self, script: str, *arguments: object) -> Any:
        return self.driver.execute_script(script, *arguments)

    def find(self, selector: str) -> WebElement:
        """The element that is shown, once it is."""

        def shown(driver: WebDriver) -> WebElement | None:
            return next((one for one in driver.find_elements(By.CSS_SELECTOR, selector) if one.is_displayed()), None)

        found = self.until(shown, selector)
        assert found is not None
        return found

    def count(self, selector: str) -> int:
        return len(self.driver.find_elements(By.CSS_SELECTOR, selector))

    def text(self, selector: str) -> str:
        return str(self.until(lambda _: self.find(selector).text, f"a text in {selector}"))

    def has(self, selector: str, count: int) -> None:
        """Waits until there are so many: the page is drawn a moment after the map."""
        self.until(lambda _: self.count(selector) == count, f"{count} of {selector}")

    def reads(self, selector: str, text: str) -> None:
        """Waits until the element that is shown has this text."""
        self.until(lambda _: self.find(selector).text == text, f'"{text}" in {selector}')

    def click(self, selector: str) -> None:
        def clicked(_: WebDriver) -> bool:
            self.find(selector).click()
            return True

        self.until(clicked, f"a press on {selector}")

    def reaches(self, *stages: str) -> str:
        """Waits until the page shows one of these views (static/js/state.js, `stage`)."""

        def stage(_: WebDriver) -> str | None:
            now = self.run("return document.documentElement.dataset.stage")
            return now if now in stages else None

        found = self.until(stage, " or ".join(stages))
        assert found is not None
        return found

    def map_ready(self) -> None:
        self.reaches("map")
        self.find(".map-canvas")

    def sees(self, ordinal: int, look: str) -> None:
        """Waits until the map draws the seat so: free, held, sold, blocked, own, asked."""
        self.map_ready()
        script = "return document.querySelector('.map').seatMap.painter.look(arguments[0])"
        self.until(lambda _: self.run(script, ordinal) == _LOOKS.index(look), f"seat {ordinal} {look}")

    def pick(self, *ordinals: int) -> None:
        """Clicks seats on the map one after the other and waits until each is held."""
        self.map_ready()
        for ordinal in ordinals:
            x, y = self._place_of(ordinal)
            pointer = ActionBuilder(self.driver)
            pointer.pointer_action.move_to_location(x, y).click()  # type: ignore[no-untyped-call]
            pointer.perform()
            self.sees(ordinal, "own")

    def _place_of(self, ordinal: int) -> tuple[int, int]:
        """Where the seat is in the window, zoomed in to a size at which it can be picked."""
        x, y = self.driver.execute_async_script(
            """
            const [ordinal, done] = arguments;
            const { seatMap } = document.querySelector(".map");
            const { viewport, plan, canvas } = seatMap;
            if (viewport.seatPixels < 10) seatMap.showSeat(ordinal);
            const still = () => {
                if (viewport.motion) return requestAnimationFrame(still);
                const at = viewport.toScreen(plan.x[ordinal], plan.y[ordinal]);
                const box = canvas.getBoundingClientRect();
                done([Math.round(box.left + at.x), Math.round(box.top + at.y)]);
            };
            still();
            """,
            ordinal,
        )
        return x, y
