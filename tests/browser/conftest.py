"""One Chromium for all tests of the page, and for each test a server of made-up jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.chromium import Page, find_browser, start_chromium
from tests.support.page_server import Backend, serve_page

if TYPE_CHECKING:
    from collections.abc import Generator

    from selenium.webdriver import Chrome


@pytest.fixture(scope="session")
def chrome() -> Generator[Chrome]:
    """Give a browser, or skip: contributors need not have one."""
    found = find_browser()
    if found is None:
        pytest.skip("no chromium and chromedriver on the path (Debian: chromium, chromium-driver)")
    with start_chromium(*found) as browser:
        yield browser


@pytest.fixture
def backend() -> Backend:
    """Give what the server answers."""
    return Backend()


@pytest.fixture
def page(chrome: Chrome, backend: Backend) -> Generator[Page]:
    """Give the page of a server that runs as long as the test."""
    with serve_page(backend) as address:
        yield Page(chrome, address)
        chrome.get("about:blank")
