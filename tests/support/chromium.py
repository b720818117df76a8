"""A real Chromium without a window, and what a test asks of a page in it.

A `Page` waits by asking again until something is so; the limit only stops a test that hangs.
"""

from __future__ import annotations

import base64
import json
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from selenium.webdriver import Chrome
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

LIMIT_SECONDS = 60
WIDTH, HEIGHT = 1400, 1000
_PLAIN = str.maketrans({"\u00d7": "x", "\u2013": "-"})
_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",  # the tests may run as root, where there is none
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
)


def find_browser() -> tuple[str, str] | None:
    """Return the paths of Chromium and its driver, or None where they are not installed."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    driver = shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


@contextmanager
def start_chromium(browser: str, driver: str) -> Generator[Chrome]:
    """Run a browser until the end of the block."""
    options = Options()
    options.binary_location = browser
    for argument in _ARGUMENTS:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = Chrome(options=options, service=Service(driver))
    try:
        yield chrome
    finally:
        chrome.quit()


@dataclass(frozen=True)
class Page:
    """The page of a server, in a browser."""

    chrome: Chrome
    address: str

    def open(self, job: str = "", width: int = WIDTH, *, is_dark: bool = False) -> Page:
        """Load the page anew with a job chosen, and wait until the job is shown."""
        self.chrome.get("about:blank")
        self.resize(width)
        self.prefer(is_dark=is_dark)
        self.read_errors()
        self.chrome.get(f"{self.address}#job={quote(job)}" if job else self.address)
        self.wait(lambda: self.text("#event") != "")
        self.wait(lambda: self.run("return document.querySelector('#facts .fact') !== null"))
        return self

    def resize(self, width: int, height: int = HEIGHT) -> None:
        """Make the window this wide, in CSS pixels."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def prefer(self, *, is_dark: bool) -> None:
        """Say which colours the system has."""
        value = "dark" if is_dark else "light"
        features = [{"name": "prefers-color-scheme", "value": value}]
        self.chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def run(self, script: str, *arguments: Any) -> Any:
        """Return what a script returns."""
        return self.chrome.execute_script(script, *arguments)

    def call(self, module: str, body: str, *arguments: Any) -> Any:
        """Return what `body` returns, an async function of module `m` and `a`, the arguments."""
        script = (
            "const [a, done] = [[...arguments].slice(0, -1), arguments[arguments.length - 1]];"
            f"import('./static/{module}').then(async (m) => {{ {body} }})"
            ".then((value) => done({value}), (error) => done({error: String(error)}));"
        )
        self.chrome.set_script_timeout(LIMIT_SECONDS)
        answer = self.chrome.execute_async_script(script, *arguments)
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer.get("value")

    def wait(self, is_so: Callable[[], object]) -> None:
        """Wait until something is so."""
        WebDriverWait(self.chrome, LIMIT_SECONDS, poll_frequency=0.05).until(lambda _: is_so())

    def text(self, selector: str) -> str:
        """Return the text of the first element, with plain spaces, hyphens and crosses."""
        found = self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector)
        return _plain(str(found))

    def texts(self, selector: str) -> list[str]:
        """Return the texts of all elements that a selector finds, likewise."""
        script = "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)"
        return [_plain(text) for text in self.run(script, selector)]

    def count(self, selector: str) -> int:
        """Return how many visible elements a selector finds."""
        script = (
            "return [...document.querySelectorAll(arguments[0])]"
            ".filter((e) => e.checkVisibility()).length"
        )
        return int(self.run(script, selector))

    def click(self, selector: str) -> None:
        """Click on the first element."""
        self.run("document.querySelector(arguments[0]).click()", selector)

    def press(self, *keys: str) -> None:
        """Press keys, one after the other, wherever the focus is."""
        ActionChains(self.chrome).send_keys(*keys).perform()

    def press_tab(self) -> None:
        """Go to the next element that takes keys."""
        self.press(Keys.TAB)

    def focus(self, selector: str) -> None:
        """Put the focus on an element."""
        self.run("document.querySelector(arguments[0]).focus()", selector)

    def focused(self) -> str:
        """Return a name of what has the focus: its id, or its tag, kind and label."""
        return str(
            self.run(
                "const e = document.activeElement; return e.id || `${e.tagName.toLowerCase()} "
                "${e.getAttribute('aria-label') ?? e.textContent.trim().slice(0, 40)}`"
            )
        )

    def read_errors(self) -> list[str]:
        """Return what the console complained of since it was last read."""
        entries = self._log("browser")
        return [each["message"] for each in entries if each["level"] in {"SEVERE", "WARNING"}]

    def read_requests(self) -> list[str]:
        """Return the addresses that were asked for since this was last read."""
        messages = [json.loads(each["message"])["message"] for each in self._log("performance")]
        return [
            str(each["params"]["request"]["url"])
            for each in messages
            if each["method"] == "Network.requestWillBeSent"
        ]

    def shoot(self, path: Path) -> None:
        """Write a picture of the whole page."""
        asked = {"captureBeyondViewport": True, "format": "png"}
        answer = self.chrome.execute_cdp_cmd("Page.captureScreenshot", asked)
        path.write_bytes(base64.b64decode(answer["data"]))

    def _log(self, kind: str) -> list[dict[str, Any]]:
        chrome: Any = self.chrome  # Selenium's own annotation of this method has gaps
        return list(chrome.get_log(kind))


def _plain(text: str) -> str:
    return " ".join(text.translate(_PLAIN).split())
