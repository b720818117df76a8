"""Pages are looked at again when they are due, on conditions, and what is archived refers back."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from sealedbeam.pipeline.crawl.frontier import State

from tests.support.archive_checks import Seen, assert_valid, index_of, read_all
from tests.support.crawls import crawl_here, make_context, read_frontier
from tests.support.local_web import LocalWeb, Reply

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sealedbeam.pipeline.crawl.frontier import Row

NOW = 1_700_000_000
DAY = 86_400
HTML = ("Content-Type", "text/html")
MODIFIED = "Tue, 14 Nov 2023 20:00:00 GMT"
IDENTICAL = "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest"
NOT_MODIFIED = "http://netpreserve.org/warc/1.1/revisit/server-not-modified"


class Pages:
    """One with an ETag, one with a date, one that always changes, and two alike with neither."""

    def __init__(self, web: LocalWeb) -> None:
        self.headers: list[tuple[str, dict[str, str]]] = []
        self._served = 0
        web.special = {
            "/0": self._keep("/0", self._tagged),
            "/1": self._keep("/1", self._dated),
            "/2": self._keep("/2", lambda _: Reply(200, b"<p>always the same</p>", (HTML,))),
            "/4": self._keep("/4", lambda _: Reply(200, b"<p>always the same</p>", (HTML,))),
            "/3": self._keep("/3", self._changing),
        }

    def _keep(
        self, path: str, answer: Callable[[dict[str, str]], Reply]
    ) -> Callable[[dict[str, str]], Reply]:
        def keep(header: dict[str, str]) -> Reply:
            self.headers.append((path, header))
            return answer(header)

        return keep

    def _tagged(self, header: dict[str, str]) -> Reply:
        tag = ("ETag", 'W/"one"')
        if header.get("if-none-match") == 'W/"one"':
            return Reply(304, b"", (tag,))
        links = b'<a href="/1">1</a><a href="/2">2</a><a href="/3">3</a><a href="/4">4</a>'
        return Reply(200, links, (HTML, tag))

    def _dated(self, header: dict[str, str]) -> Reply:
        date = ("Last-Modified", MODIFIED)
        if header.get("if-modified-since") == MODIFIED:
            return Reply(304, b"", (date,))
        return Reply(200, b"<p>dated</p>", (HTML, date))

    def _changing(self, _header: dict[str, str]) -> Reply:
        self._served += 1
        return Reply(200, f"<p>version {self._served}</p>".encode(), (HTML, ("ETag", '"x"')))


def crawl_at(folder: Path, web: LocalWeb, seconds: float) -> dict[str, Row]:
    """Crawl, or go on, at a time; return the rows by path."""
    context = replace(make_context(folder, shards=1), clock=lambda: seconds)
    summary = crawl_here(context, [web.url(0, 0)])
    assert (summary["status"], summary["ledger"]) == ("complete", "balanced")
    return {"/" + url.rpartition("/")[2]: row for url, row in read_frontier(folder).items()}


def records_of(folder: Path) -> list[Seen]:
    paths = sorted((folder / "warc").glob("*.warc.gz"))
    for path in paths:
        assert_valid(path)
        index = path.with_name(path.name.removesuffix(".warc.gz") + ".cdxj")
        assert index_of(path) == index.read_text().splitlines()
    return [seen for path in paths for seen in read_all(path)]


def check_revisits(records: list[Seen], kinds: dict[str, str]) -> None:
    """Check that revisits refer to records that are there, and are of the right kinds."""
    pages = {
        (seen.url, seen.fields["warc-date"]): seen.fields["warc-payload-digest"]
        for seen in records
        if seen.kind == "response"
    }
    found = set()
    for seen in (seen for seen in records if seen.kind == "revisit"):
        original = seen.fields["warc-refers-to-target-uri"], seen.fields["warc-refers-to-date"]
        assert original[0] == seen.url
        assert pages[original] == seen.fields["warc-payload-digest"]
        found.add(("/" + seen.url.rpartition("/")[2], seen.fields["warc-profile"]))
    assert found == set(kinds.items())


def test_pages_are_looked_at_again_when_they_are_due(tmp_path: Path) -> None:
    """Validators are sent, 304 and equal payloads become revisits, and intervals adapt, twice."""
    with LocalWeb(pages=4) as web:
        pages = Pages(web)
        first = crawl_at(tmp_path, web, NOW + 0.25)
        assert {row.state for row in first.values()} == {State.FETCHED, State.DUPLICATE}
        assert first["/4"].redirect_to == web.url(0, 2)
        assert {row.next_at - row.fetched_at for row in first.values()} == {30 * DAY}
        pages.headers.clear()
        assert crawl_at(tmp_path, web, NOW + 29 * DAY) == first
        assert pages.headers == []

        second = crawl_at(tmp_path, web, NOW + 31 * DAY + 0.5)
        asked = dict(pages.headers)
        assert len(pages.headers) == 5
        assert asked["/0"]["if-none-match"] == 'W/"one"'
        assert asked["/1"]["if-modified-since"] == MODIFIED
        assert not {"if-none-match", "if-modified-since"} & asked["/2"].keys()
        assert Counter(row.state for row in second.values()) == {
            State.NOT_MODIFIED: 3,
            State.FETCHED: 1,
            State.DUPLICATE: 1,
        }
        assert second["/4"].redirect_to == web.url(0, 2)
        days = {path: row.interval_seconds / DAY for path, row in second.items()}
        assert days == {"/0": 42, "/1": 42, "/2": 42, "/3": 24, "/4": 42}
        for path in ("/0", "/1", "/2"):
            place = [second[path][-4:], second[path].payload_digest, second[path].etag]
            assert place == [first[path][-4:], first[path].payload_digest, first[path].etag]

        third = crawl_at(tmp_path, web, NOW + 74 * DAY)
        assert third["/0"].state is State.NOT_MODIFIED
        assert third["/0"].interval_seconds / DAY == 58.8
        kinds = {"/0": NOT_MODIFIED, "/1": NOT_MODIFIED, "/2": IDENTICAL, "/4": IDENTICAL}
        check_revisits(records_of(tmp_path), kinds)


def test_a_page_found_nearer_is_asked_for_whole(tmp_path: Path) -> None:
    """Within a limit of depth links count from the nearest way, though it is found later."""
    with LocalWeb(pages=1) as web:
        near = {"open": False}

        def start(_header: dict[str, str]) -> Reply:
            return Reply(200, b'<a href="/a">a</a><a href="/late">late</a>', (HTML,))

        def late(_header: dict[str, str]) -> Reply:
            if not near["open"]:
                return Reply(500, b"", (("Retry-After", "200"),))
            return Reply(200, b'<a href="/c">c</a>', (HTML,))

        def tagged(header: dict[str, str]) -> Reply:
            if "if-none-match" in header:
                return Reply(304, b"")
            return Reply(200, b'<a href="/d">d</a>', (HTML, ("ETag", '"c"')))

        web.special = {
            "/0": start,
            "/a": lambda _: Reply(200, b'<a href="/b">b</a>', (HTML,)),
            "/b": lambda _: Reply(200, b'<a href="/c">c</a>', (HTML,)),
            "/late": late,
            "/c": tagged,
            "/d": lambda _: Reply(200, b"<p>d</p>", (HTML,)),
        }

        def crawl(seconds: float) -> dict[str, Row]:
            context = replace(make_context(tmp_path, depth=3, shards=1), clock=lambda: seconds)
            crawl_here(context, [web.url(0, 0)], workers=1)
            return {
                "/" + url.rpartition("/")[2]: row for url, row in read_frontier(tmp_path).items()
            }

        rows = crawl(NOW)
        assert (rows["/c"].depth, rows["/c"].linked_depth, rows["/d"].state) == (3, 3, "unfetched")
        near["open"] = True
        rows = crawl(NOW + 200)
        assert (rows["/c"].depth, rows["/c"].linked_depth, rows["/d"].state) == (2, 2, "fetched")
        assert (rows["/c"].state, rows["/c"].reason) == (State.NOT_MODIFIED, "same_payload")
        asked = Counter(url.rpartition("/")[2] for url in web.asked)
        assert (asked["c"], asked["d"]) == (2, 1)
