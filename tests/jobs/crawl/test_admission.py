"""What goes into the frontier of all that is found: in what form, how deep, and what does not."""

from __future__ import annotations

from typing import Any

import pytest
from sealedbeam.pipeline.crawl.frontier import NEVER, Row, State, collect
from sealedbeam.pipeline.jobs.crawl.admission import REDIRECTS_MAX, Admission
from sealedbeam.pipeline.jobs.crawl.config import CrawlConfig
from sealedbeam.pipeline.jobs.crawl.links import Named
from sealedbeam.pipeline.jobs.entry import Entry

SITE = "http://a.org"
PAGE = Row(f"{SITE}/page", "a.org", depth=3)
SESSION = ";jsessionid=0123456789ABCDEF"
DEEP = "/".join(["x"] * 40)


def admit(**options: Any) -> Admission:
    return Admission(CrawlConfig(**options), Entry("fetch-0007-000", ""), 7)


def rows_of(admission: Admission) -> dict[str, Row]:
    return collect(admission.events)


def left(admission: Admission) -> dict[str, int]:
    return admission._entry.counts.get("links_left", {})


def test_what_is_named_lies_one_deeper() -> None:
    """Pages and site maps alike, found in this round by way of the page."""
    admission = admit()
    admission.take_named(Named((f"{SITE}/one",), (f"{SITE}/map.xml",)), PAGE)
    rows = rows_of(admission)
    assert set(rows) == {f"{SITE}/one", f"{SITE}/map.xml"}
    assert {(row.depth, row.via, row.discovered_round) for row in rows.values()} == {
        (4, PAGE.url, 7)
    }
    assert admission._entry.counts["links"] == {"found": 2}


@pytest.mark.parametrize(
    ("found", "taken"),
    [
        (f"{SITE}/a{SESSION}", f"{SITE}/a"),
        (f"{SITE}/a?PHPSESSID=deadbeef01&b=1", f"{SITE}/a?b=1"),
        (f"{SITE}/(S(abcdefghijklmnopqrstuvwx))/a.aspx", f"{SITE}/a.aspx"),
        ("http://user:secret@a.org/a", f"{SITE}/a"),
    ],
)
def test_a_session_is_left_and_its_page_is_not(found: str, taken: str) -> None:
    """An address that names a visit, or a user, is taken without that name."""
    admission = admit()
    admission.take_named(Named((found,)), PAGE)
    assert {url: row.state for url, row in rows_of(admission).items()} == {taken: State.UNFETCHED}
    assert left(admission) == {}


def test_a_page_that_only_a_session_leads_to() -> None:
    """A redirect from a page to itself with a session is followed as it is."""
    admission = admit()
    admission.take_redirect(PAGE.url + SESSION, PAGE)
    assert set(rows_of(admission)) == {PAGE.url + SESSION}
    other = admit()
    other.take_redirect(f"{SITE}/b{SESSION}", PAGE)
    assert set(rows_of(other)) == {f"{SITE}/b"}


def test_traps_are_kept_and_never_asked_for() -> None:
    """They stand in the frontier with their reason; without the rules for them they are pages."""
    named = Named((f"{SITE}/{DEEP}", f"{SITE}/{DEEP}{SESSION}", f"{SITE}/calendar?year=9999"))
    admission = admit()
    admission.take_named(named, PAGE)
    rows = rows_of(admission)
    assert {(row.state, row.reason, row.next_at, row.depth) for row in rows.values()} == {
        (State.TRAPPED, "too_deep", NEVER, 4),
        (State.TRAPPED, "calendar", NEVER, 4),
    }
    assert left(admission) == {"too_deep": 2, "calendar": 1}
    free = admit(traps=False)
    free.take_named(named, PAGE)
    assert [row.state for row in rows_of(free).values()] == [State.UNFETCHED] * 3


def test_a_redirect_is_no_link() -> None:
    """It leads to the same depth, so many times in a row; a link begins anew."""
    row = PAGE
    for number in range(1, REDIRECTS_MAX + 1):
        admission = admit()
        admission.take_redirect(f"{SITE}/{number}", row)
        (row,) = rows_of(admission).values()
        assert (row.depth, row.redirects, row.url) == (3, number, f"{SITE}/{number}")
    admission = admit()
    admission.take_redirect(f"{SITE}/next", row)
    assert (rows_of(admission), left(admission)) == ({}, {"too_many_redirects": 1})
    admission.take_named(Named((f"{SITE}/next",)), row)
    assert [(row.depth, row.redirects) for row in rows_of(admission).values()] == [(4, 0)]


def test_rules_hold_for_pages_and_site_maps() -> None:
    """Site maps are judged by hosts and refusals, not by what pages are wanted."""
    admission = admit(
        allow_hosts=["a.org"], allow_prefixes=[f"{SITE}/docs/"], deny_prefixes=[f"{SITE}/no/"]
    )
    maps = [f"{SITE}/map.xml.gz", f"{SITE}/no/map.xml", "http://b.org/map.xml"]
    pages = (f"{SITE}/docs/a", f"{SITE}/docs/a.gz", f"{SITE}/b", "http://b.org/docs/a", "mailto:x")
    admission.take_sitemaps(maps, 0, f"{SITE}/robots.txt")
    admission.take_named(Named(pages), PAGE)
    assert {url: row.depth for url, row in rows_of(admission).items()} == {
        f"{SITE}/map.xml.gz": 0,
        f"{SITE}/docs/a": 4,
    }
    assert left(admission) == {
        "prefix_denied": 1,
        "host_not_allowed": 2,
        "extension_denied": 1,
        "prefix_not_allowed": 1,
        "no_address": 1,
    }
