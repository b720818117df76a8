"""Addresses that a site makes up without end are told by their form; ordinary ones are left."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.crawl.traps import TrapLimits, find_trap, without_session
from sealedbeam.pipeline.crawl.urls import canonical

A = "http://a.org"
HEX = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("/" + "x" * 1100, "too_long"),
        ("/1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p", "too_deep"),
        ("/?" + "&".join(f"p{k}={k}" for k in range(21)), "too_many_parameters"),
        ("/docs/docs/docs/", "repeated_segments"),
        ("/about/team/about/team/about/team", "repeated_segments"),
        ("/a/b/a/b/a/b/a/b/a/b/a/b", "repeated_segments"),
        ("/news/a/news/b/news/c/news", "repeated_segments"),
        ("/index.php/x/y/x/y/x/y/x/y/x/y/x/y/z", "repeated_segments"),
        ("/shop;jsessionid=1A2B?x", "session_id"),
        ("/(S(abcdefghijklmnopqrstuv12))/page.aspx", "session_id"),
        ("/?PHPSESSID=abc", "session_id"),
        ("/forum?t=1&s=" + HEX, "session_id"),
        ("/?a=1&amp;amp;b=2", "growing"),
        ("/x%25252520y", "growing"),
        ("/go/http://b.org/http://c.org/http://d.org/", "growing"),
        ("/go?u=http%3A%2F%2Fb%3Fu%3Dhttp%253A%252F%252Fc%253Fu%253Dhttp%25253A%25252F", "growing"),
        ("/login?next=/login?next=/login?next=/", "growing"),
        ("/login?next=%2Flogin%3Fnext%3D%252Flogin%253Fnext%253D", "growing"),
        ("/s?a=1&a=1&a=1", "growing"),
        ("/calendar/7749/01/", "calendar"),
        ("/events/2093-12", "calendar"),
        ("/cal?year=7749&month=1", "calendar"),
        ("/cal?month=13", "calendar"),
        ("/cal?date=99991231", "calendar"),
        ("/7749/01/01", "calendar"),
        ("/view?day=1203-05-01", "calendar"),
        ("/view-0999-05-01", ""),
    ],
)
def test_traps(path: str, word: str) -> None:
    """Each kind of trap is recognised and named."""
    url = canonical(A + path)
    assert url is not None
    assert word == find_trap(url)


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/docs/docs/x", "/0/0/0.png", "/tiles/3/3/3", "/python/3/library/re.html", "/a//b"),
        *("/2024/02/29/leap-day", "/archive/1851/09/18/new-york", "/7749/01/", "/issues/12345"),
        *("/events/2026-11-21", "/calendar?month=12&year=2026", "/isbn/978-3-16-148410-0"),
        *("/?sid=1234", "/?s=linux+kernel", "/?session=keynote", "/search?q=a&q=b&q=a"),
        *("/web/2020/http://b.org/", "/share?u=https%3A%2F%2Fa.org%2Fx%3Fy%3D1&t=2", "/%25"),
        *("/login?next=/a?b=1", "/org/apache/org/apache/commons/lang3/time/package.html"),
        *("/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p.html", "/rfc/rfc9309", "/cas/7732-18-5"),
        *("/x%20(2012-04-06).pdf", "/x%282012-04-06%29.pdf", "/x%E4%BD2012-04-06"),
        *("/v1.2.3/api/v1", "/en/en-us/en/", "/2001/2001", "/s?f[]=a&f[]=b&f[]=c&g=1&h=2"),
    ],
)
def test_ordinary_addresses(path: str) -> None:
    """What documentation, shops and archives have is no trap."""
    url = canonical(A + path)
    assert url is not None
    assert find_trap(url) == ""


def test_limits_are_the_last_that_pass() -> None:
    """At a limit an address passes; one more and it is a trap."""
    limits = TrapLimits(20, 3, 2, (2000, 2030), (2020, 2030))
    assert find_trap(f"{A}/1234567", limits) == ""
    assert find_trap(f"{A}/12345678", limits) == "too_long"
    assert find_trap(f"{A}/1/2/3", limits) == ""
    assert find_trap(f"{A}/1/2/3/", limits) == "too_deep"
    assert find_trap(f"{A}/?a&b", limits) == ""
    assert find_trap(f"{A}/?a&b&c", limits) == "too_many_parameters"
    wide = TrapLimits(years=(2000, 2030), calendar_years=(2020, 2030))
    assert [find_trap(f"{A}/?year={year}", wide) for year in (1999, 2000, 2030, 2031)] == [
        *("calendar", "", "", "calendar")
    ]
    assert [find_trap(f"{A}/agenda?year={year}", wide) for year in (2019, 2020)] == ["calendar", ""]


@pytest.mark.parametrize("period", range(1, 5))
@given(data=st.data())
def test_every_endless_path_ends(period: int, data: st.DataObject) -> None:
    """A path that repeats its words is a trap, at the latest at its sixth round."""
    word = st.text("abc", min_size=1, max_size=4)
    block = data.draw(st.lists(word, min_size=period, max_size=period))
    head = data.draw(st.lists(word, max_size=3))
    assert find_trap(f"{A}/" + "/".join([*head, *block * 6])) != ""


@given(st.lists(st.text("abcdefgh", min_size=1, max_size=6), max_size=24, unique=True))
def test_different_words_are_no_trap(words: list[str]) -> None:
    """A path whose pieces all differ repeats nothing."""
    assert find_trap(f"{A}/" + "/".join(words)) == ""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/shop;jsessionid=1A2B?x=1", "/shop?x=1"),
        ("/shop;jsessionid=1A2B/y", "/shop/y"),
        ("/?PHPSESSID=abc", "/"),
        ("/?a=1&PHPSESSID=abc&b=2", "/?a=1&b=2"),
        (f"/f?s={HEX}&t=1", "/f?t=1"),
        ("/(S(abcdefghijklmnopqrstuv12))/page.aspx", "/page.aspx"),
    ],
)
def test_without_session(path: str, expected: str) -> None:
    """What names a visit goes, the rest stays, and no session is left."""
    assert A + expected == without_session(A + path)
    assert find_trap(without_session(A + path)) == ""


@pytest.mark.parametrize(
    "rest",
    [
        *("/" * 2000, "a/" * 1000, "?" + "a=" * 1000, "?" + "&" * 2000, "%25" * 650, "amp;" * 500),
        *("http:" * 400, "(S(" * 600, "?" + "month=" * 300, "2024-01-" * 250, "?" + "?a" * 900),
        *("?" + "%3Fa%3D" * 250, "?" + "x-" * 1000 + "date=", "/2024" * 400, "?sid=" + "a1" * 900),
    ],
)
def test_hostile_addresses_cost_little(rest: str) -> None:
    """No address makes a rule take more than linear time: a hang here is the failure."""
    limits = TrapLimits(characters_max=1 << 20, segments_max=1 << 20, parameters_max=1 << 20)
    if "/" not in rest[:4]:
        find_trap(f"{A}/{rest}" * 10, limits)
    find_trap(f"{A}/{rest}")
