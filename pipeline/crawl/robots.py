"""What a host's robots.txt permits, by RFC 9309, with Protego to match the rules.

What an answer means (RFC 9309, 2.3.1):
- 2xx: its rules hold. Its first 500 KiB count, up to the last whole line.
- 4xx, and a sixth redirect in a row: there is no robots.txt, all is allowed. 429 is left out of
  that: a host that asks for less must not be asked for more.
- 5xx, 429, no answer: nothing is allowed, and the file is asked for again, after five minutes at
  first and twice as long each time, up to a day. The RFC permits to go on after "a reasonably long
  period": after 30 days of failures the last rules that were read hold again, and where there never
  were any, all is allowed.
An answer holds for a day; Cache-Control can make that shorter, down to an hour.

Protego reads more leniently than the RFC says, so three things are made plain before it reads:
1. Lines end in CR, LF or both. What else Python takes for the end of a line is escaped.
2. A group is ours if its name up to the first character that product tokens do not have is our
   token, whatever the case; "sealed" is not "sealedbeam", and "sealedbeam/2.0" is.
3. A line of a kind that nobody knows ends no group.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from protego import Protego

from .urls import canonical

ROBOTS_BYTES_MAX: Final = 500 << 10
REDIRECTS_MAX: Final = 5
DELAY_SECONDS_MAX: Final = 30.0
LIFE_SECONDS_MAX: Final = 86_400
LIFE_SECONDS_MIN: Final = 3_600
PATIENCE_SECONDS: Final = 30 * 86_400
_FIRST_WAIT_SECONDS: Final = 300
_SITEMAPS_MAX: Final = 1_000
_CACHED_RULES: Final = 1_024

_LINE_END = re.compile(r"\r\n|\r|\n")
_OTHER_LINE_ENDS = re.compile("[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_AGENT = re.compile(r"\s*user[- ]?agent\s*(?::|\s)\s*(\*(?=\s|#|$)|[a-z_-]*)", re.IGNORECASE)
_OTHER_AGENT = "/"  # no product token has a slash: a group of this name is nobody's
_FIELD = re.compile(r"\s*([\w-]+)\s*:(?=\s|$)")
# As Protego spells them, its misspellings too.
_KNOWN = re.compile(
    r"user-?agent|dis+al+ow|diasllow|disallaw|allow|crawl-delay|request-rate|visit-time|sitemaps?"
    r"|site-map|host",
    re.IGNORECASE,
)
_MAX_AGE = re.compile(r"(?:^|,)\s*max-age\s*=\s*\"?(\d{1,12})", re.IGNORECASE)
_NO_STORE = re.compile(r"(?:^|,)\s*no-(?:store|cache)\b", re.IGNORECASE)


class Outcome(StrEnum):
    """What is known of a host's robots.txt."""

    UNKNOWN = "unknown"
    RULES = "rules"
    ALLOW_ALL = "allow_all"
    DISALLOW_ALL = "disallow_all"


@dataclass(frozen=True, slots=True)
class Reply:
    """How the request for a robots.txt ended.

    Attributes:
        status: of the last answer, after up to `REDIRECTS_MAX` redirects; 0 if there was none.
        body: decoded from its content codings; more than `ROBOTS_BYTES_MAX` need not be read.
        cache_control: the header of that name.
        retry_after_seconds: what the server asked for, None if nothing.
    """

    status: int
    body: bytes = b""
    cache_control: str = ""
    retry_after_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Robots:
    """What holds for a host; plain values, for the row of the host.

    Attributes:
        outcome: which rule holds.
        text: the rules that were read last, whether or not they hold.
        asked_at: when the host was last asked, in seconds since the epoch; 0 for never.
        expires_at: when it is to be asked again.
        failures: requests in a row that got no answer.
        failing_since: when the first of them was.
    """

    outcome: Outcome = Outcome.UNKNOWN
    text: str = ""
    asked_at: int = 0
    expires_at: int = 0
    failures: int = 0
    failing_since: int = 0

    def allows(self, url: str, product_token: str) -> bool:
        """Return whether the crawler `product_token` may fetch the canonical address `url`.

        While a host's rules are not known (`Outcome.UNKNOWN`), only robots.txt may be fetched.
        """
        if url.partition("?")[0].split("/", 3)[3] == "robots.txt":
            return True
        if self.outcome is Outcome.RULES:
            return bool(_rules(self.text, product_token.lower()).can_fetch(url, product_token))
        return self.outcome is Outcome.ALLOW_ALL

    def crawl_delay_seconds(self, product_token: str) -> float | None:
        """Return the delay that the rules ask for, at most `DELAY_SECONDS_MAX`, None if none."""
        if self.outcome is not Outcome.RULES:
            return None
        delay = _rules(self.text, product_token.lower()).crawl_delay(product_token)
        return None if delay is None else min(float(delay), DELAY_SECONDS_MAX)

    def sitemaps(self, base: str) -> tuple[str, ...]:
        """Return the canonical addresses of the site maps named; `base` is the file's own."""
        if self.outcome is not Outcome.RULES:
            return ()
        named = (canonical(site_map, base) for site_map in _rules(self.text, "").sitemaps)
        return tuple(dict.fromkeys(url for url in named if url is not None))[:_SITEMAPS_MAX]


def interpret(reply: Reply, now: int, previous: Robots | None = None) -> Robots:
    """Return what holds for a host after `reply` at time `now`, given what held before."""
    known = previous or Robots()
    life_seconds = _life_seconds(reply.cache_control)
    if 200 <= reply.status < 300:  # noqa: PLR2004 - classes of status codes
        text = _decode(reply.body)
        return Robots(Outcome.RULES, text, now, now + life_seconds)
    if 300 <= reply.status < 500 and reply.status != 429:  # noqa: PLR2004 - likewise
        return Robots(Outcome.ALLOW_ALL, "", now, now + life_seconds)
    failing_since = known.failing_since if known.failures else now
    outcome = Outcome.DISALLOW_ALL
    if now - failing_since >= PATIENCE_SECONDS:
        outcome = Outcome.RULES if known.text else Outcome.ALLOW_ALL
    wait_seconds = _FIRST_WAIT_SECONDS << min(known.failures, 16)
    wait_seconds = max(wait_seconds, reply.retry_after_seconds or 0)
    expires_at = now + min(wait_seconds, LIFE_SECONDS_MAX)
    return Robots(outcome, known.text, now, expires_at, known.failures + 1, failing_since)


def _life_seconds(cache_control: str) -> int:
    stated = _MAX_AGE.search(cache_control)
    seconds = int(stated[1]) if stated else LIFE_SECONDS_MAX
    if _NO_STORE.search(cache_control):
        seconds = 0
    return min(max(seconds, LIFE_SECONDS_MIN), LIFE_SECONDS_MAX)


def _decode(body: bytes) -> str:
    """Return the text that counts, without the mark that may stand before it."""
    if len(body) > ROBOTS_BYTES_MAX:
        head = body[: ROBOTS_BYTES_MAX + 1]  # an end of line right behind the limit is one
        body = body[: max(head.rfind(b"\n"), head.rfind(b"\r"), 0)]
    return body.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")


@lru_cache(maxsize=_CACHED_RULES)
def _rules(text: str, token: str) -> Protego:
    return Protego.parse(_make_plain(text, token))


def _make_plain(text: str, token: str) -> str:
    """Return `text` so that Protego reads what RFC 9309 says (see the module's rules)."""
    lines = []
    for line in _LINE_END.split(_OTHER_LINE_ENDS.sub(_escape, text)):
        field = _FIELD.match(line)
        if field is not None and not _KNOWN.fullmatch(field[1]):
            continue
        agent = _AGENT.match(line)
        if agent is not None:
            name = agent[1].lower()
            is_ours = name == "*" or (name == token and name)
            lines.append(f"User-agent: {name if is_ours else _OTHER_AGENT}")
        else:
            lines.append(line)
    return "\n".join(lines)


def _escape(character: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in character[0].encode())
