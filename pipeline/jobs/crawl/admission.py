"""Which of the addresses that a task has found go into the frontier, in what form, how deep.

Rules:
1. A link lies one deeper than its page; so does what a site map names, pages and further site maps.
   The site maps that a host's robots.txt names are as deep as the nearest address of that host that
   the task was to ask for: who finds a host at the limit of depth reads no site map of it.
2. A redirect is no link: where it leads lies as deep as the address that redirects. After
   `REDIRECTS_MAX` in a row the next one is left, so that none can lead on for ever.
3. What the user's rules refuse is counted, and not kept. Site maps are judged by hosts and by what
   is refused alone: they are no pages, and rarely lie where the wanted pages do.
4. An address that names a visit is taken without that name. Where the only way to a page is a
   redirect to such an address, it is taken as it is.
5. Any other trap is kept as trapped, with the reason, and is never asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sealedbeam.pipeline.crawl.frontier import Discovered, State, Visited
from sealedbeam.pipeline.crawl.traps import SESSION_ID, find_trap, without_session
from sealedbeam.pipeline.crawl.urls import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sealedbeam.pipeline.crawl.frontier import Event, Row
    from sealedbeam.pipeline.jobs.entry import Entry

    from .config import CrawlConfig
    from .links import Named

REDIRECTS_MAX: Final = 10


class Admission:
    """Judges what a fetch task finds; `events` is what has come of it."""

    def __init__(self, config: CrawlConfig, entry: Entry, number: int) -> None:
        """Judge by the rules of `config`, and count in `entry`, for round `number`."""
        self._rules = config.rules()
        self._traps = config.traps
        self._entry = entry
        self._number = number
        self.events: list[Event] = []

    def take_named(self, named: Named, row: Row) -> None:
        """Take what the page or the site map of `row` names."""
        self._entry.count("links", "found", len(named.pages) + len(named.sitemaps))
        self._take_pages(named.pages, row.depth + 1, row.url)
        self.take_sitemaps(named.sitemaps, row.depth + 1, row.url)

    def take_sitemaps(self, urls: Iterable[str], depth: int, via: str) -> None:
        """Take site maps."""
        for url in urls:
            if refusal := self._rules.judge_sitemap(url):
                self._entry.count("links_left", refusal)
            else:
                self._find(url, depth, via)

    def take_redirect(self, target: str, row: Row) -> None:
        """Take where the address of `row` leads."""
        if row.redirects >= REDIRECTS_MAX:
            self._entry.count("links_left", "too_many_redirects")
            return
        is_only_way = self._traps and without_session(target) == row.url
        self._take_pages([target], row.depth, row.url, row.redirects + 1, as_it_is=is_only_way)

    def _take_pages(
        self,
        urls: Iterable[str],
        depth: int,
        via: str,
        redirects: int = 0,
        *,
        as_it_is: bool = False,
    ) -> None:
        for found in urls:
            url = canonical(found)
            if url is None:
                self._entry.count("links_left", "no_address")
                continue
            trap = find_trap(url) if self._traps and not as_it_is else ""
            if trap == SESSION_ID:
                url = without_session(url)
                trap = find_trap(url)
            refusal = self._rules.judge(url)
            if refusal or trap:
                self._entry.count("links_left", refusal or trap)
            if not refusal:
                self._find(url, depth, via, redirects)
            if not refusal and trap:
                self.events.append(Visited(url, State.TRAPPED, 0, trap))

    def _find(self, url: str, depth: int, via: str, redirects: int = 0) -> None:
        self.events.append(Discovered(url, depth, via, self._number, redirects))
