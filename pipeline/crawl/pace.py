"""What a host's answers mean for its row: what robots.txt says, whether to slow down, to stop.

Pure: the same answers give the same row, whether they were just heard or are read from a log. Times
are those of the exchanges, in seconds since the epoch.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from .hosts import HostRow, robots_of, with_robots
from .retry import parse_retry_after
from .robots import ROBOTS_BYTES_MAX, Reply, interpret

if TYPE_CHECKING:
    from .fetch import Exchange

THROTTLED: Final = (429, 503)
_FIRST_BACKOFF_SECONDS: Final = 30
_BACKOFF_SECONDS_MAX: Final = 3_600
_ASKED_SECONDS_MAX: Final = 86_400
_GZIP_OR_ZLIB: Final = 47  # zlib's window bits: it looks for itself


def robots_url(url: str) -> str:
    """Return where the robots.txt of a page's host is."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/robots.txt"


def after_robots(row: HostRow, exchange: Exchange, product_token: str) -> HostRow:
    """Return the row of a host after the last answer to the request for its robots.txt."""
    now = int(exchange.time_seconds)
    reply = Reply(
        exchange.status,
        inflate(exchange, ROBOTS_BYTES_MAX + 1),
        exchange.get("Cache-Control"),
        parse_retry_after(exchange.get("Retry-After"), now),
    )
    robots = interpret(reply, now, robots_of(row))
    delay_seconds = robots.crawl_delay_seconds(product_token) or 0.0
    updated = with_robots(_after_request(row, exchange), robots, now)
    return updated._replace(delay_seconds=delay_seconds)


def after_page(row: HostRow, exchange: Exchange) -> HostRow:
    """Return the row of a host after the answer to the request for a page."""
    now = int(exchange.time_seconds)
    row = _after_request(row, exchange)._replace(updated_at=now)
    if exchange.status and exchange.status not in THROTTLED:
        return row._replace(failures=0, backoff_until=0, pages_fetched=row.pages_fetched + 1)
    wait_seconds = min(_FIRST_BACKOFF_SECONDS << min(row.failures, 10), _BACKOFF_SECONDS_MAX)
    asked = parse_retry_after(exchange.get("Retry-After"), now) or 0
    wait_seconds = max(wait_seconds, min(asked, _ASKED_SECONDS_MAX))
    if not exchange.status:
        wait_seconds = 0 if row.failures == 0 else wait_seconds  # one failure is no pattern
    return row._replace(failures=row.failures + 1, backoff_until=now + wait_seconds)


def after_leaving(row: HostRow, exchange: Exchange) -> HostRow:
    """Return the row of a host that was left for a later round, to be asked with an address."""
    return row._replace(updated_at=int(exchange.time_seconds), address=exchange.address)


def _after_request(row: HostRow, exchange: Exchange) -> HostRow:
    return row._replace(
        asked_until=exchange.time_seconds + exchange.seconds,
        address=exchange.address or row.address,
    )


def inflate(exchange: Exchange, limit_bytes: int) -> bytes:
    """Return a body without its gzip or deflate coding, at most `limit_bytes` of it.

    Other codings were not asked for where this is used, and give nothing.
    """
    coding = exchange.get("Content-Encoding").lower()
    if coding in {"", "identity"}:
        return exchange.body[:limit_bytes]
    if coding not in {"gzip", "x-gzip", "deflate"}:
        return b""
    try:
        return zlib.decompressobj(_GZIP_OR_ZLIB).decompress(exchange.body, limit_bytes)
    except zlib.error:
        return b""
