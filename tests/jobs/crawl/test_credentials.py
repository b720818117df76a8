"""User names and passwords in addresses reach no server, and nothing that a crawl leaves behind."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest
from sealedbeam.pipeline.crawl.urls import without_user
from sealedbeam.pipeline.errors import UsageError
from sealedbeam.pipeline.jobs.crawl.seeds import read_seeds

from tests.support.archive_checks import read_all
from tests.support.crawls import crawl_here, make_context
from tests.support.local_web import LocalWeb, Reply

if TYPE_CHECKING:
    from pathlib import Path

OWN = "gandalf:melon7Friend@"
THEIRS = "sauron:onering1ToRule@"


def find_secrets(folder: Path) -> dict[str, set[str]]:
    """Return the files of a crawl's folder in which the credentials stand, by their owner.

    Of archives the responses are left out, and of what is known of hosts the text of robots.txt:
    they are what servers have sent.
    """
    found: dict[str, set[str]] = {OWN: set(), THEIRS: set()}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        data = whole = path.read_bytes()
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            whole = str(table.to_pylist()).encode()
            names = [name for name in table.column_names if name != "robots_text"]
            data = str(table.select(names).to_pylist()).encode()
        if path.name.endswith(".warc.gz"):
            whole = gzip.decompress(data)
            data = b"".join(
                str(seen).encode() for seen in read_all(path) if seen.kind != "response"
            )
        for owner, text in ((OWN, whole), (THEIRS, data)):
            words = owner.rstrip("@").split(":")
            if any(word.encode() in text for word in words):
                found[owner].add(path.name)
    return found


def test_credentials_stay_with_their_owner(tmp_path: Path) -> None:
    """In a seed, a filter, a link, a redirect, a site map: the pages come, and no log knows."""
    headers: list[dict[str, str]] = []
    with LocalWeb(pages=1) as web:
        own, theirs = (
            web.url(0, 0).replace("//", f"//{login}").removesuffix("0") for login in (OWN, THEIRS)
        )

        def start(header: dict[str, str]) -> Reply:
            headers.append(header)
            broken = f'<a href="http://{THEIRS}a.example:bad/">broken</a>'
            return Reply(
                200, f'<a href="{theirs}a">a</a><a href="{theirs}b">b</a>{broken}'.encode()
            )

        web.robots = f"Sitemap: {theirs}map.txt"
        web.special = {
            "/0": start,
            "/a": lambda _: Reply(302, b"", (("Location", f"{theirs}c"),)),
            "/b": lambda _: Reply(404, b""),
            "/c": lambda _: Reply(200, b"<p>c</p>"),
            "/map.txt": lambda _: Reply(200, f"{theirs}d".encode(), (("Content-Type", "x/y"),)),
        }
        context = make_context(tmp_path, shards=1, allow_prefixes=[own])
        summary = crawl_here(context, read_seeds([f"{own}0"]))
        assert {url.rpartition("/")[2] for url in web.asked} >= {"0", "a", "b", "c", "map.txt"}
    assert summary["states"] == {"fetched": 3, "gone": 1, "redirect_temporary": 1}
    assert "authorization" not in headers[0]
    assert find_secrets(tmp_path) == {OWN: set(), THEIRS: set()}
    told = str(summary) + context.to_json() + str(context.configuration)
    assert not [word for word in ("melon7", "onering1") if word in told]


def test_an_error_shows_no_password() -> None:
    """An address that cannot be read is told without it."""
    for seed in (f"http://{OWN}a.example:bad/", f"{OWN}[", f"http:\\\\{OWN}a:bad"):
        with pytest.raises(UsageError) as caught:
            read_seeds([seed])
        assert "melon7" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("crawl https://u:p@a.org/ --output x", "crawl https://a.org/ --output x"),
        ("https://u:p@q@a.org/x@y", "https://a.org/x@y"),
        ("HTTP:\\\\u@a.org", "HTTP:\\\\a.org"),
        ("//u:p@a.org http://b.org/@c", "//a.org http://b.org/@c"),
        ("mailto:me@a.org", "mailto:me@a.org"),
        ("'https://u:p@a.org/'", "'https://a.org/'"),
    ],
)
def test_without_user(text: str, expected: str) -> None:
    """Only what stands between the slashes and an at sign goes, wherever an address stands."""
    assert without_user(text) == expected
