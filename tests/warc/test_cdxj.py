from __future__ import annotations

import json

import pytest
from sealedbeam.pipeline.warc.cdxj import cdxj_line, encode_cdxj, surt


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://www.example.org/", "org,example)/"),
        ("https://example.org/A/b.html?z=2&a=1", "org,example)/a/b.html?a=1&z=2"),
        ("http://sub.example.org:8080/x/", "org,example,sub:8080)/x"),
        ("https://example.org:443/", "org,example)/"),
        ("http://www2.example.org/", "org,example)/"),
    ],
)
def test_keys_sort_by_site(url: str, key: str) -> None:
    """The host's labels are turned round; case, www and the order of the query do not count."""
    assert surt(url) == key


def test_a_line_has_key_time_and_value() -> None:
    """A line is what replay tools read: key, 14 digits, JSON."""
    line = cdxj_line(
        "http://example.org/a",
        1_790_000_000.9,
        mime="text/html",
        status=200,
        digest="sha1:ABC",
        offset=12,
        length=345,
        file_name="a.warc.gz",
    )
    key, timestamp, value = line.split(" ", 2)
    assert (key, timestamp) == ("org,example)/a", "20260921141320")
    assert json.loads(value) == {
        "url": "http://example.org/a",
        "mime": "text/html",
        "status": "200",
        "digest": "sha1:ABC",
        "length": "345",
        "offset": "12",
        "filename": "a.warc.gz",
    }


def test_an_index_is_sorted_by_bytes() -> None:
    """Lines are ordered by their bytes, as tools that search by halves expect."""
    assert encode_cdxj(["b", "a", "\u00e9", "z"]) == "a\nb\nz\n\u00e9\n".encode()
