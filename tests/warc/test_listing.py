"""Lists of what an archive should hold are read strictly, and differences are named one by one."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.errors import UsageError
from sealedbeam.pipeline.warc.listing import (
    Capture,
    FileDigest,
    compare_captures,
    parse_listing,
    timestamp_of,
)

URL = "http://example.org/a"
TIME = "20240229123456"
CAPTURE = Capture("a.warc.gz", URL, TIME, 1234)


@pytest.mark.parametrize(
    "line",
    [
        f"org,example)/a {TIME} {URL} text/html 200 AAAA - - 99 1234 a.warc.gz",
        f"org,example)/a {TIME} {URL} text/html 200 AAAA - 1234 data/a.warc.gz",
        f" CDX N a b V g\norg,example)/a {URL} {TIME} 1234 s3://bucket/a.warc.gz",
        f'org,example)/a {TIME} {{"url": "{URL}", "offset": "1234", "filename": "a.warc.gz"}}',
        f'!head\norg,example)/a {TIME}123 {{"url":"{URL}","offset":1234,"filename":"a.warc.gz"}}\r',
    ],
)
def test_lines_of_captures(line: str) -> None:
    """CDX of 9 and 11 columns, with a legend of its own, and CDXJ give the same capture."""
    assert parse_listing("x", line.encode()).captures == [CAPTURE]


@pytest.mark.parametrize(
    ("line", "algorithm"),
    [
        ("a" * 32 + "  a.warc.gz", "md5"),
        ("A" * 40 + " *folder/a.warc.gz", "sha1"),
        ("a" * 64 + " data/crawl/a.warc.gz", "sha256"),
        ("a" * 128 + "\ta.warc.gz", "sha512"),
    ],
)
def test_lines_of_checksums(line: str, algorithm: str) -> None:
    """Checksums are read as the usual tools and BagIt write them."""
    digest = "a" * len(line.split(maxsplit=1)[0])
    expected = [FileDigest("a.warc.gz", algorithm, digest)]
    assert expected == parse_listing("x", line.encode()).digests


@pytest.mark.parametrize(
    "line",
    [
        f"org,example)/a {TIME} {URL} warc/request 200 AAAA - - 99 1234 a.warc.gz",
        f"dns:example.org {TIME} dns:example.org text/dns 200 AAAA - - 99 1234 a.warc.gz",
        "# a remark",
        "",
    ],
)
def test_lines_that_name_no_page(line: str) -> None:
    """Requests, metadata, other schemes, remarks and empty lines are passed over."""
    listing = parse_listing("x", line.encode())
    assert (listing.captures, listing.digests) == ([], [])


@pytest.mark.parametrize(
    "line",
    [
        "hello world",
        "a" * 33 + "  a.warc.gz",
        f"org,example)/a 2024 {URL} text/html 200 AAAA - - 99 1234 a.warc.gz",
        f"org,example)/a {TIME} [1]",
        f'org,example)/a {TIME} {{"url": 1, "filename": "a"}}',
        "org,example)/a " + TIME + " " + '{"a":' * 20000,
        "x" * 100_000,
        "\x1b[31mred",
    ],
)
def test_other_lines_are_named(line: str) -> None:
    """A line of no known kind is an error that names file and line and prints no escapes."""
    text = f"org,example)/a {TIME} {URL} text/html 200 AAAA - 1 a.warc.gz\n{line}\n"
    with pytest.raises(UsageError, match=r"^list\.cdx, line 2: neither") as error:
        parse_listing("list.cdx", text.encode())
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 300


def test_compressed_lists_are_refused() -> None:
    """A gzip file is told to be unpacked."""
    with pytest.raises(UsageError, match="give it unpacked"):
        parse_listing("a.cdx.gz", b"\x1f\x8b\x08" + bytes(30))


@given(st.binary(max_size=300))
def test_any_bytes_are_a_listing_or_an_error(data: bytes) -> None:
    """Whatever the bytes, there is a listing or one clear error."""
    try:
        listing = parse_listing("x", data)
    except UsageError:
        return
    assert len(listing.captures) + len(listing.digests) <= data.count(b"\n") + 1


def test_dates() -> None:
    """A WARC-Date becomes the 14 digits of a list, however precise it is."""
    assert [timestamp_of("2024-02-29T12:34:56Z"), timestamp_of("2024-02-29T12:34:56.789Z")] == [
        TIME
    ] * 2


CAPTURES = st.lists(
    st.builds(
        Capture,
        st.sampled_from("ab"),
        st.sampled_from(["u", "v"]),
        st.sampled_from(["1", "2"]),
        st.integers(0, 4),
    ),
    max_size=8,
)


@given(CAPTURES, CAPTURES)
def test_differences_are_those_of_multisets(listed: list[Capture], found: list[Capture]) -> None:
    """What is missing and what is unlisted is the difference of multisets, offsets aside."""

    def keys(captures: list[Capture]) -> Counter[tuple[str, str, str]]:
        return Counter((item.file, item.url, item.timestamp) for item in captures)

    missing, unlisted = compare_captures(listed, found)
    assert keys(listed) - keys(found) == keys(missing)
    assert keys(found) - keys(listed) == keys(unlisted)
    assert not Counter(missing) - Counter(listed)
    assert not Counter(unlisted) - Counter(found)


def test_of_equal_ones_the_unknown_offset_is_odd() -> None:
    """Of two records with one address and time the one at an unknown place is named."""
    there = [Capture("a", URL, TIME, offset) for offset in (10, 20, 30)]
    listed = [there[0], there[2]]
    assert compare_captures(listed, there) == ([], [there[1]])
    assert compare_captures(there, listed) == ([there[1]], [])
