"""An answer that is damaged before it is archived: asked for again, left out, or the end."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from sealedbeam.pipeline.crawl.frontier import State
from sealedbeam.pipeline.errors import IntegrityError

from tests.support.crawls import crawl_here, make_context, read_frontier
from tests.support.flipping import DOUBLE_FLIP, STORM, Rule
from tests.support.jobs import quarantined
from tests.support.local_web import LocalWeb

if TYPE_CHECKING:
    from pathlib import Path

ALWAYS = [Rule("fetch", DOUBLE_FLIP)]


def test_a_page_that_is_always_damaged_is_given_up(tmp_path: Path) -> None:
    """It is asked for as often as is allowed, then fails by name, and so does the crawl."""
    with LocalWeb(pages=3) as web:
        context = make_context(tmp_path, ALWAYS, max_attempts=3, max_seconds=60)
        summary = crawl_here(context, [web.url(0, 0)])
        assert Counter(web.asked)[web.url(0, 0)] == 3
        row = read_frontier(tmp_path)[web.url(0, 0)]
        assert (row.state, row.reason) == (State.FAILED, "damaged")
        assert summary["refetched"] == summary["hops"]["fetch"]["dropped"] - 1
        assert (summary["ledger"], summary["status"]) == ("balanced", "failed")
        assert "dropped for good" in summary["findings"][0]


def test_drop_asks_once(tmp_path: Path) -> None:
    """Under `drop` nothing is asked for again; how much may be left out is for the user to say."""
    with LocalWeb(pages=3) as web:
        options = {"on_damage": "drop", "max_dropped_ratio": 1}
        context = make_context(tmp_path, ALWAYS, **options)
        summary = crawl_here(context, [web.url(0, 0)])
        assert Counter(web.asked)[web.url(0, 0)] == 1
        assert (summary["refetched"], summary["states"]) == (0, {"failed": 1})
        assert summary["status"] == "complete"


def test_fail_ends_the_crawl(tmp_path: Path) -> None:
    """Under `fail` the first damaged answer ends the crawl, with the hop's name."""
    with LocalWeb(pages=3) as web:
        context = make_context(tmp_path, ALWAYS, on_damage="fail")
        with pytest.raises(IntegrityError, match="hop fetch"):
            crawl_here(context, [web.url(0, 0)])


def test_without_seals_what_cannot_be_read_is_asked_for_again(tmp_path: Path) -> None:
    """Under `none` damage is used as it comes; what is no answer at all any more is counted."""
    with LocalWeb(pages=7) as web:
        rules = [Rule("fetch", STORM)]
        context = make_context(tmp_path, rules, protection="none", max_attempts=30, max_seconds=60)
        summary = crawl_here(context, [web.url(0, 0)])
        assert (summary["ledger"], summary["status"]) == ("unknown", "complete")
        reasons = Counter(row.reason for row in quarantined(tmp_path))
        assert reasons["unreadable"] > 0
