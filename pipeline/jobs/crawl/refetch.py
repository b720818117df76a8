"""What becomes of an address whose answer was damaged on its way to the archive.

The answer cannot be made again, since a server need not say the same twice. So the address is asked
for in the next round, as politely as before, and what comes then is another record. That goes on
until the address has had its attempts, or the crawl may not ask again: then it has failed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sealedbeam.pipeline.crawl.frontier import NEVER, State, Visited, visit_of
from sealedbeam.pipeline.crawl.visitor import AnswerKind
from sealedbeam.pipeline.integrity.ladder import OnDamage

from .answers import decode_identity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sealedbeam.pipeline.crawl.frontier import Row

    from .config import CrawlConfig

REFETCHED = "refetched"
DAMAGED = "damaged"
_OF_PAGES = (AnswerKind.PAGE, AnswerKind.DENIED)


def may_ask_again(identity: bytes, rows: Mapping[str, Row], config: CrawlConfig) -> bool:
    """Whether the address of a damaged answer is asked for again.

    Args:
        identity: of the answer's record.
        rows: of the addresses of the round.
        config: says what to do about damage. robots.txt is always asked for again, as long as
            there are pages to ask for.
    """
    kind, url = decode_identity(identity)
    if config.on_damage is not OnDamage.RETRY:
        return False
    return kind not in _OF_PAGES or rows[url].attempts + 1 < config.max_attempts


def visit_after_damage(
    identity: bytes, rows: Mapping[str, Row], config: CrawlConfig, now: int
) -> Visited | None:
    """Return what holds of an address after its answer was damaged; None where it is no page's.

    Args:
        identity: of the answer's record.
        rows: of the addresses of the round.
        config: says what to do about damage.
        now: when the round was selected, in seconds since the epoch.
    """
    kind, url = decode_identity(identity)
    if kind not in _OF_PAGES:
        return None
    row = rows[url]
    visit = replace(
        visit_of(row),
        reason=REFETCHED,
        attempts=row.attempts + 1,
        fetched_at=max(now, row.fetched_at + 1),
        next_at=now,
    )
    if may_ask_again(identity, rows, config):
        return visit
    return replace(visit, state=State.FAILED, reason=DAMAGED, next_at=NEVER)
