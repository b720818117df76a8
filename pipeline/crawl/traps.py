"""Recognises addresses that a site could make up for ever, from the address alone.

The words that `find_trap` answers with, in the order in which it looks:
- `too_long`, `too_deep`, `too_many_parameters`: more characters, pieces of path, parameters than
  pages of people have;
- `repeated_segments`: a piece of the path, or several in a row, again and again, as relative links
  on a page that answers everywhere make them;
- `session_id`: a name for a visit, so that each visit finds the whole site anew;
- `growing`: escaped once more on each page, an address inside itself, a parameter over and over;
- `calendar`: a date that no calendar of use reaches, or a thirteenth month.

Every rule takes time in proportion to the address: pieces of the path are compared only once it is
known that there are no more than `segments_max`. The limits leave alone what documentation, shops
and archives do; a calendar within its years is bounded by the pages that a host may have.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


@dataclass(frozen=True, slots=True)
class TrapLimits:
    """What an address may have; the last values that are no trap.

    Attributes:
        characters_max: of the whole address.
        segments_max: pieces of the path.
        parameters_max: parts of the query between ampersands.
        years: first and last year of a date in an address.
        calendar_years: the same where the address speaks of a calendar or of events, which go on
            without end in both directions. Whoever knows today's date can set them closer.
    """

    characters_max: int = 1_024
    segments_max: int = 24
    parameters_max: int = 20
    years: tuple[int, int] = (1600, 2100)
    calendar_years: tuple[int, int] = (1980, 2050)


DEFAULT_LIMITS = TrapLimits()
SESSION_ID = "session_id"

_REPEATS = 3  # of pieces in a row; twice happens (/docs/docs/)
_REPEATS_OF_SHORT = 6  # map tiles and numbered shelves: /0/0/0
_OCCURRENCES = 4  # of a word, not in a row
_LONG_PIECE = 3
_NESTED_ADDRESSES = 3
_NESTED_KEYS = 3
_EQUAL_PARAMETERS = 3
_MONTHS = 12

_SESSION = re.compile(
    r";jsessionid=|/\(s\([a-z0-9]{24}\)\)"
    r"|[?&;](?:phpsessid|jsessionid|aspsessionid\w*|oscsid|zenid|cftoken)="
    r"|[?&;](?:sid|s|sessid|session_?id|session)=(?=[a-z]*\d)(?=\d*[a-z])[0-9a-z]{20,}",
    re.IGNORECASE,
)
_WRITTEN_SESSION = re.compile(
    r";jsessionid=[^/?;&]*|/\(s\([a-z0-9]{24}\)\)"
    r"|(?<=[?&;])(?:phpsessid|jsessionid|aspsessionid\w*|oscsid|zenid|cftoken|cfid|sid|s|sessid"
    r"|session_?id|session)=[^&;]*",
    re.IGNORECASE,
)
_ESCAPED_ESCAPES = re.compile(r"(?:amp;){2}|(?:amp%3b){2}|%(?:25){3}", re.IGNORECASE)
_NESTED_ADDRESS = re.compile(r"https?(?::|%(?:25)*3a)(?:/|%(?:25)*2f)", re.IGNORECASE)
_NESTED_QUERY = re.compile(r"\?|%(?:25)*3f", re.IGNORECASE)
_KEY = re.compile(
    r"(?:^|[?&;]|%(?:25)*(?:3f|26))([a-z_][\w.-]{1,40})(?:=|%(?:25)*3d)", re.IGNORECASE
)
_CALENDAR_WORD = re.compile(
    r"calendar|kalender|calendrier|calendario|agenda|events?\b|schedule", re.IGNORECASE
)
_DIGIT_RUN = re.compile(r"\d{4}")
_DATE_IN_PATH = re.compile(
    r"/(?P<year>\d{4,6})/(?P<month>0?[1-9]|1[0-2])(?P<day>/(?:0?[1-9]|[12]\d|3[01]))?(?=[/?.]|$)"
)
_DATE = re.compile(
    r"(?:(?<![\w.%-])|(?<=%[0-9A-F]{2}))(?P<year>\d{4,6})-(?P<month>0[1-9]|1[0-2])"
    r"(?P<day>-(?:0[1-9]|[12]\d|3[01]))?(?![\w-])"
)
_DATE_PARAMETER = re.compile(
    r"[?&;](?:[\w-]{0,20}(?:date|day|month|week)=(?P<year>\d{4})-?(?:0[1-9]|1[0-2])"
    r"|[\w-]{0,20}(?:year|jahr)=(?P<only_year>\d{4,9})(?!\d)"
    r"|(?:month|monat|mois)=(?P<month>\d{1,9})(?!\d))",
    re.IGNORECASE,
)


def find_trap(url: str, limits: TrapLimits = DEFAULT_LIMITS) -> str:
    """Return the word for why the canonical address `url` is a trap, or "" if it is none."""
    return next(_find_traps(url, limits), "")


def _find_traps(url: str, limits: TrapLimits) -> Iterator[str]:
    path, mark, query = url.partition("?")
    segments = path.split("/")[3:]
    if len(url) > limits.characters_max:
        yield "too_long"
    if len(segments) > limits.segments_max:
        yield "too_deep"
    if query.count("&") >= limits.parameters_max:
        yield "too_many_parameters"
    if len(set(segments)) < len(segments) and _repeat(segments):
        yield "repeated_segments"
    if (mark or ";" in path or "(" in path) and _SESSION.search(url):
        yield SESSION_ID
    if _grows(url, query):
        yield "growing"
    if _leaves_calendar(url, limits):
        yield "calendar"


def without_session(url: str) -> str:
    """Return the canonical address `url` without what names a visit; most sites answer it alike."""
    address, mark, query = _WRITTEN_SESSION.sub("", url).partition("?")
    kept = "&".join(part for part in query.split("&") if part)
    return f"{address}?{kept}" if kept or (mark and url.endswith("?")) else address


def _repeat(segments: Sequence[str]) -> bool:
    """Whether pieces follow each other too often, or one that is a word comes up too often."""
    counts = Counter(segment for segment in segments if _is_word(segment))
    if max(counts.values(), default=0) >= _OCCURRENCES:
        return True
    for period in range(1, len(segments) // _REPEATS + 1):
        run = 0
        for index in range(period, len(segments)):
            run = run + 1 if segments[index] == segments[index - period] else 0
            block = segments[index - period + 1 : index + 1]
            repeats = _REPEATS if any(map(_is_word, block)) else _REPEATS_OF_SHORT
            if run >= (repeats - 1) * period:
                return True
    return False


def _is_word(segment: str) -> bool:
    return len(segment) >= _LONG_PIECE and not segment.isdecimal()


def _grows(url: str, query: str) -> bool:
    if ("%" in url or ";" in url) and _ESCAPED_ESCAPES.search(url):
        return True
    # The address itself is the first.
    if url.count("http") > _NESTED_ADDRESSES and (
        len(_NESTED_ADDRESS.findall(url)) > _NESTED_ADDRESSES
    ):
        return True
    if query and _NESTED_QUERY.search(query) and _most(_KEY.findall(query)) >= _NESTED_KEYS:
        return True
    return "&" in query and _most(filter(None, query.split("&"))) >= _EQUAL_PARAMETERS


def _most(words: Iterable[str]) -> int:
    return max(Counter(words).values(), default=0)


def _leaves_calendar(url: str, limits: TrapLimits) -> bool:
    """Whether `url` has a date, or part of one, that no calendar of use reaches."""
    if "month=" not in url and not _DIGIT_RUN.search(url):
        return False
    dates = [*_DATE_IN_PATH.finditer(url), *_DATE.finditer(url)]
    parameters = [*_DATE_PARAMETER.finditer(url)] if "=" in url else []
    if not dates and not parameters:
        return False
    speaks_of_events = _CALENDAR_WORD.search(url) is not None
    first, last = limits.calendar_years if speaks_of_events else limits.years
    for date in dates:
        is_sure = speaks_of_events or date["day"] is not None
        if is_sure and not first <= int(date["year"]) <= last:
            return True
    for parameter in parameters:
        year = parameter["year"] or parameter["only_year"]
        if year is not None and not first <= int(year) <= last:
            return True
        if parameter["month"] is not None and int(parameter["month"]) > _MONTHS:
            return True
    return False
