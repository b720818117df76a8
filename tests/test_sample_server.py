"""The sample web over HTTP: what the archive holds, for as long as a command runs."""

from __future__ import annotations

import subprocess
import sys
import urllib.error
import urllib.request
from http import HTTPStatus

import pytest

from seeds import make_sample, serve
from tests.support.jobs import ROOT

ASKS = """
import sys, urllib.request
with urllib.request.urlopen(sys.argv[1] + "hamming") as answer:
    print(sys.argv[1], answer.url, b"<title>" in answer.read())
sys.exit(7)
"""


def test_pages_are_sent_as_the_archive_has_them() -> None:
    """Files have the body and the header fields of the archive; folders stand for their index."""
    for path in make_sample.WEB.rglob("*.html"):
        name = path.relative_to(make_sample.WEB).as_posix()
        body, headers = make_sample.encode_page(name, path.read_bytes())
        assert serve.answer(f"/{name}") == (HTTPStatus.OK, body, headers)
    assert serve.answer("/codes/") == serve.answer("/codes/index.html")
    assert serve.answer("/") == serve.answer("/index.html?query#part")
    assert serve.answer("/hamming").headers == {"Location": "/codes/hamming.html"}
    assert serve.answer("/../make_sample.py").status is HTTPStatus.NOT_FOUND


def test_robots_asks_for_no_pause() -> None:
    """What is denied stays denied, and a crawl need not wait a second for each page."""
    robots = serve.answer("/robots.txt").body
    assert b"Disallow: /print/" in robots
    assert b"delay" not in robots.lower()


def test_the_server_ends_with_its_command() -> None:
    """The command gets the address and its exit code is passed on; nothing listens afterwards."""
    line = [sys.executable, "-m", "seeds.serve", sys.executable, "-c", ASKS, "{web}"]
    done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=ROOT, timeout=60)
    assert done.returncode == 7, done.stderr
    web, page, is_page = done.stdout.split()
    assert (page, is_page) == (f"{web}codes/hamming.html", "True")
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(web, timeout=10)
