"""A robots.txt permits what RFC 9309 says, whatever it is made of and however it was answered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.crawl.robots import (
    LIFE_SECONDS_MAX,
    LIFE_SECONDS_MIN,
    PATIENCE_SECONDS,
    ROBOTS_BYTES_MAX,
    Outcome,
    Reply,
    Robots,
    interpret,
)

TOKEN = "sealedbeam"
NOW = 1_800_000_000
DAY = 86_400


def read(body: str | bytes) -> Robots:
    data = body if isinstance(body, bytes) else body.encode()
    return interpret(Reply(200, data), NOW)


def allows(body: str | bytes, path: str, token: str = TOKEN) -> bool:
    return read(body).allows(f"http://example.org{path}", token)


@pytest.mark.parametrize(
    ("lines", "allowed", "denied"),
    [
        # RFC 9309, 2.2.2 and 2.2.3: the longest match wins, and allow among equals.
        (["Disallow: /a", "Allow: /a/b"], "/a/b/c", "/a/c"),
        (["Allow: /a/b", "Disallow: /a"], "/a/b/c", "/a/c"),
        (["Disallow: /", "Allow: /"], "/x", None),
        (["Allow: /page", "Disallow: /*.htm"], "/page", "/page.htm"),
        (["Allow: /$", "Disallow: /"], "/", "/page.htm"),
        (["Allow: /page", "Disallow: /*.ph"], "/page.php5", None),
        (["Disallow: /*.gif$"], "/a.gif?x", "/b/a.gif"),
        (["Disallow: /fish*"], "/Fish.asp", "/fishheads/y.html?id=any"),
        (["Disallow: /fish/"], "/fish", "/fish/?id=any"),
        (["Disallow: /*.php"], "/windows.PHP", "/folder/any.php.file.html"),
        (["Disallow: /fish*.php"], "/Fish.PHP", "/fishheads/catfish.php?parameters"),
        (["Disallow: /a$b"], "/a", "/a$bc"),
        # Escapes count as what they stand for, but for those of the path's own marks.
        (["Disallow: /foo/bar?baz=http://foo.bar"], "/foo/bar", "/foo/bar?baz=http://foo.bar"),
        (["Disallow: /foo/bar/ツ"], "/foo/bar/", "/foo/bar/%E3%83%84"),
        (["Disallow: /foo/bar/%E3%83%84"], "/foo/bar/", "/foo/bar/%E3%83%84"),
        (["Disallow: /foo/bar/%62%61%7A"], "/foo/bar/", "/foo/bar/baz"),
        (["Disallow: /a%2fb"], "/a/b", "/a%2Fb"),
        (["Disallow: /%7Ejoe/"], "/joe/", "/~joe/"),
        (["Disallow: /%2A"], "/b", "/*"),
        # Doubled slashes are part of the path.
        (["Disallow: //x"], "/x", "//x/y"),
        (["Disallow: /x"], "//x", "/x"),
        # What is empty says nothing; comments and blanks are no part of a rule.
        (["Disallow:"], "/x", None),
        (["Disallow: /b  # no more"], "/c", "/b"),
        (["  DISALLOW  :  /b"], "/c", "/b"),
        (["Disallow /b"], "/c", "/b"),
        (["Disallow: b"], "/b", None),
        (["", "# a remark", "", "Disallow: /b"], "/c", "/b"),
        (["Sitemap: http://a.org/s.xml", "Disallow: /b"], "/c", "/b"),
        (["Unknown: x", "Disallow: /b"], "/c", "/b"),
        (["Content-Signal: search=yes", "Disallow: /b"], "/c", "/b"),
    ],
)
@pytest.mark.parametrize("agent", ["*", "SealedBeam", "sealedbeam/1.0", "other\nUser-agent: *"])
def test_rules(lines: list[str], allowed: str, denied: str | None, agent: str) -> None:
    """Paths are matched as RFC 9309 and Google's description of it say."""
    body = "\n".join([f"User-agent: {agent}", *lines])
    assert allows(body, allowed)
    assert denied is None or not allows(body, denied)


@pytest.mark.parametrize(
    ("body", "is_ours"),
    [
        ("User-agent: sealedbeam\nDisallow: /\n\nUser-agent: *\nAllow: /", True),
        ("User-agent: *\nAllow: /\nUser-agent: SEALEDBEAM\nDisallow: /", True),
        ("User-agent: sealed\nDisallow: /", False),
        ("User-agent: beam\nDisallow: /", False),
        ("User-agent: sealedbeamer\nDisallow: /", False),
        ("User-agent: sealedbeam*\nDisallow: /", True),
        ("User-agent: sealedbeam is it\nDisallow: /", True),
        ("User-agent: *\nDisallow: /\nUser-agent: sealedbeam\nDisallow:", False),
        ("User-agent: sealedbeam\nUser-agent: b\nDisallow: /", True),
        ("User-agent: b\nDisallow: /\nUser-agent: sealedbeam\nDisallow: /x", False),
        (
            "User-agent: sealedbeam\nAllow: /\nUser-agent: b\nUser-agent: sealedbeam\nDisallow: /p",
            True,
        ),
        ("User-agent: sealedbeam\nNoise: x\nUser-agent: b\nDisallow: /", True),
        ("User-agent: sealedbeam\nSitemap: /s\nUser-agent: b\nDisallow: /", True),
        ("Disallow: /", False),
        ("User-agent:\nDisallow: /", False),
        ("User-agent: -\nDisallow: /", False),
        ("User-agent: /\nDisallow: /", False),
        ("<html><body>Disallow: /</body></html>", False),
        ("", False),
    ],
)
def test_groups(body: str, *, is_ours: bool) -> None:
    """The groups of our product token hold together; without one those of everybody do."""
    assert is_ours != allows(body, "/p")


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\n\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_lines_and_marks(end: str, mark: bytes) -> None:
    """Every end of line is one, and a byte order mark hides nothing."""
    body = mark + end.join(["User-agent: *", "Disallow: /b", "Allow: /b/c"]).encode()
    assert (allows(body, "/b"), allows(body, "/b/c")) == (False, True)


@pytest.mark.parametrize("character", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
def test_other_separators_end_no_line(character: str) -> None:
    """What only Python takes for an end of line is part of the path."""
    body = f"User-agent: *\nDisallow: /a{character}Allow: /\nDisallow: /b"
    assert not allows(body, "/b")
    escaped = "".join(f"%{byte:02X}" for byte in character.encode())
    assert allows(body, "/a")
    assert not allows(body, f"/a{escaped}Allow:%20/x")


def test_robots_txt_itself_is_allowed() -> None:
    """The file is always allowed, and nothing else by its name."""
    body = "User-agent: *\nDisallow: /"
    assert allows(body, "/robots.txt")
    assert allows(body, "/robots.txt?x")
    assert not allows(body, "/a/robots.txt")
    assert not allows(body, "/?/robots.txt")


def test_size_limit_cuts_at_a_line() -> None:
    """Of a file that is too long the whole lines within the limit hold, and no piece of one."""
    head = b"User-agent: *\nDisallow: /first\n"
    fill = b"#" * (ROBOTS_BYTES_MAX - len(head) - 14) + b"\n"
    robots = read(head + fill + b"Disallow: /abcdef\nDisallow: /last\n")
    assert [robots.allows(f"http://a.org/{path}", TOKEN) for path in ("first", "ab", "last")] == [
        *(False, True, True)
    ]
    assert ROBOTS_BYTES_MAX >= len(robots.text) > ROBOTS_BYTES_MAX - 100
    assert read(b"#" * (ROBOTS_BYTES_MAX + 1)).text == ""
    exact = head + b"#" * (ROBOTS_BYTES_MAX - len(head))
    assert len(read(exact).text) == len(read(exact + b"\nDisallow: /x").text) == ROBOTS_BYTES_MAX


@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_nothing_is_raised(body: bytes) -> None:
    """Whatever a server sends is read, and gives an answer to each question."""
    robots = read(body)
    assert robots.allows("http://a.org/x", TOKEN) in (True, False)
    assert 0 <= (robots.crawl_delay_seconds(TOKEN) or 0) <= 30
    assert all(url.startswith("http") for url in robots.sitemaps("http://a.org/robots.txt"))


@given(
    st.lists(
        st.tuples(st.sampled_from(["allow", "disallow"]), st.text("ab/", max_size=4)), max_size=5
    ),
    st.text("ab/", max_size=6),
)
def test_prefixes_against_the_definition(rules: list[tuple[str, str]], path: str) -> None:
    """Without wildcards, the longest rule that the path begins with decides, allow among equals."""
    matching = [
        (len(rule) + 1, kind == "allow")
        for kind, rule in rules
        if f"/{path}".startswith(f"/{rule}")
    ]
    expected = max(matching, default=(0, True))[1]
    body = "User-agent: *\n" + "\n".join(f"{kind}: /{rule}" for kind, rule in rules)
    assert expected == allows(body, f"/{path}")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        *((200, Outcome.RULES), (204, Outcome.RULES), (301, Outcome.ALLOW_ALL)),
        *((400, Outcome.ALLOW_ALL), (401, Outcome.ALLOW_ALL), (403, Outcome.ALLOW_ALL)),
        *((404, Outcome.ALLOW_ALL), (410, Outcome.ALLOW_ALL), (429, Outcome.DISALLOW_ALL)),
        *((500, Outcome.DISALLOW_ALL), (503, Outcome.DISALLOW_ALL), (0, Outcome.DISALLOW_ALL)),
        *((999, Outcome.DISALLOW_ALL), (100, Outcome.DISALLOW_ALL)),
    ],
)
def test_outcomes(status: int, outcome: Outcome) -> None:
    """A missing file allows all, a failing server nothing, and an unknown host nothing yet."""
    robots = interpret(Reply(status, b"User-agent: *\nDisallow: /x"), NOW)
    assert outcome == robots.outcome
    assert (outcome is Outcome.ALLOW_ALL) == robots.allows("http://a.org/x", TOKEN)
    assert (outcome is not Outcome.DISALLOW_ALL) == robots.allows("http://a.org/y", TOKEN)
    assert not Robots().allows("http://a.org/y", TOKEN)
    assert Robots().allows("http://a.org/robots.txt", TOKEN)


def test_failures_back_off_and_end() -> None:
    """Waits double up to a day; after 30 days the last rules hold again, or else all is allowed."""
    for body, expected in ((b"User-agent: *\nDisallow: /x", False), (None, True)):
        known = None if body is None else interpret(Reply(200, body), NOW)
        now, waits = NOW, []
        while known is None or now - NOW < PATIENCE_SECONDS:
            known = interpret(Reply(503), now, known)
            assert not known.allows("http://a.org/y", TOKEN)
            waits.append(known.expires_at - now)
            assert (known.failing_since, known.failures) == (NOW, len(waits))
            now = known.expires_at
        assert waits[:4] == [300, 600, 1200, 2400]
        assert max(waits) == DAY
        known = interpret(Reply(0), now, known)
        assert expected == known.allows("http://a.org/x", TOKEN)
        assert known.allows("http://a.org/y", TOKEN)
        recovered = interpret(Reply(404), now, known)
        assert (recovered.failures, recovered.text) == (0, "")
        assert interpret(Reply(500), now, recovered).outcome is Outcome.DISALLOW_ALL


def test_retry_after_is_heard() -> None:
    """A server may ask for a longer wait, up to a day."""
    assert interpret(Reply(503, retry_after_seconds=4000), NOW).expires_at == NOW + 4000
    assert interpret(Reply(503, retry_after_seconds=1), NOW).expires_at == NOW + 300
    assert interpret(Reply(503, retry_after_seconds=10**9), NOW).expires_at == NOW + DAY


@pytest.mark.parametrize(
    ("cache_control", "seconds"),
    [
        ("", LIFE_SECONDS_MAX),
        ("max-age=7200", 7200),
        ("public, Max-Age=7200", 7200),
        ("max-age=0", LIFE_SECONDS_MIN),
        ("max-age=99999999", LIFE_SECONDS_MAX),
        ("no-store", LIFE_SECONDS_MIN),
        ("s-maxage=5", LIFE_SECONDS_MAX),
        ("max-age=x", LIFE_SECONDS_MAX),
    ],
)
def test_life(cache_control: str, seconds: int) -> None:
    """An answer holds for a day, or for less where its server says so."""
    assert NOW + seconds == interpret(Reply(200, b"", cache_control), NOW).expires_at


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("5", 5), ("0.5", 0.5), ("3600", 30), ("-1", None), ("nan", None), ("inf", None), ("x", None)],
)
def test_crawl_delay(value: str, seconds: float | None) -> None:
    """A delay is obeyed up to half a minute, and only where it is a number."""
    robots = read(f"User-agent: *\nCrawl-delay: {value}\nDisallow: /x")
    assert seconds == robots.crawl_delay_seconds(TOKEN)
    assert interpret(Reply(404), NOW).crawl_delay_seconds(TOKEN) is None


def test_sitemaps() -> None:
    """Site maps are named for all, relative ones too; what is no address is left out."""
    robots = read(
        "Sitemap: http://a.org/one.xml\nUser-agent: x\nDisallow: /\nsitemap: /two.xml\n"
        "Sitemap: http://a.org/one.xml\nSitemap: ftp://a.org/x\nSitemap:\n"
    )
    expected = ("http://a.org/one.xml", "http://b.org/two.xml")
    assert expected == robots.sitemaps("http://b.org/robots.txt")
