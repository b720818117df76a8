"""The sample web hangs together, and its archive is what the script makes of it."""

from __future__ import annotations

import io
import zlib
from collections import Counter
from urllib.parse import urljoin, urlsplit

from fastwarc.warc import ArchiveIterator
from selectolax.lexbor import LexborHTMLParser

from seeds import make_sample

PAGES = {path.relative_to(make_sample.WEB).as_posix() for path in make_sample.WEB.rglob("*.html")}


def split_members(archive: bytes) -> list[bytes]:
    """Return the inflated gzip members of `archive`."""
    members = []
    while archive:
        unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
        members.append(unpacker.decompress(archive))
        archive = unpacker.unused_data
    return members


def linked_pages(page: str) -> set[str]:
    tree = LexborHTMLParser((make_sample.WEB / page).read_bytes())
    links = (node.attributes["href"] or "" for node in tree.css("a[href]"))
    return {urlsplit(urljoin(f"https://x/{page}", link)).path[1:] for link in links}


def test_committed_archive_is_what_the_script_makes() -> None:
    """Record by record the archive is the same; zlib's own versions may squeeze differently."""
    assert split_members(make_sample.SAMPLE.read_bytes()) == split_members(
        make_sample.make_sample()
    )


def test_script_gives_the_same_bytes_every_time() -> None:
    """Neither clock nor chance gets into the archive."""
    assert make_sample.make_sample() == make_sample.make_sample()


def test_archive_stays_small() -> None:
    """The sample is committed, so it stays below 300 KB."""
    assert make_sample.SAMPLE.stat().st_size < 300_000


def test_every_digest_holds() -> None:
    """Each record's block digest, and each payload digest that is there, is right."""
    stream = io.BytesIO(make_sample.SAMPLE.read_bytes())
    kinds: Counter[str] = Counter()
    for record in ArchiveIterator(stream, parse_http=False):
        kind = record.headers["WARC-Type"]
        kinds[kind] += 1
        assert record.verify_block_digest()
        if kind == "response":
            record.parse_http()
            assert record.verify_payload_digest()
    responses = len(PAGES) + len(["robots", "glossary", "picture", "redirect", "missing"])
    assert kinds == {
        "warcinfo": 1,
        "response": responses,
        "request": responses,
        "resource": 1,
        "metadata": 1,
        "revisit": 1,
    }


def test_every_link_leads_somewhere() -> None:
    """No page links to a file that is not there."""
    links = set().union(*map(linked_pages, PAGES))
    assert {link for link in links if not (make_sample.WEB / link).is_file()} == set()


def test_every_page_can_be_reached() -> None:
    """A crawl that begins at the home page finds all of the others."""
    reached: set[str] = set()
    frontier = {make_sample.HOME}
    while frontier:
        page = frontier.pop()
        reached.add(page)
        frontier |= (linked_pages(page) & PAGES) - reached
    assert reached == PAGES


def test_only_the_printed_page_is_a_copy() -> None:
    """One page is the exact duplicate of another; all others differ."""
    bodies = Counter((make_sample.WEB / page).read_bytes() for page in PAGES)
    printed = (make_sample.WEB / "print" / "checksum.html").read_bytes()
    assert [body for body, count in bodies.items() if count > 1] == [printed]
    assert bodies[printed] == 2
