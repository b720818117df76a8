"""The page's pure functions, called in the browser, against slow and obviously right oracles."""

from __future__ import annotations

import math
import random
import sys
import unicodedata
from typing import TYPE_CHECKING

import pytest

from tests.support.page_jobs import make_supernova
from tests.support.spheres import is_inside, separation

if TYPE_CHECKING:
    from tests.support.chromium import Page

HIDDEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
POINTS = 400


@pytest.fixture
def plain(page: Page) -> Page:
    """Give a page of the same origin that has nothing in it."""
    page.chrome.get(f"{page.address}report")
    return page


def points_of(number: int) -> list[tuple[float, float]]:
    """Return points spread evenly over the sphere, and awkward ones."""
    rng = random.Random(7)
    points = [
        (rng.uniform(-180, 180), math.degrees(math.asin(rng.uniform(-1, 1)))) for _ in range(number)
    ]
    return [*points, (0, 90), (0, -90), (180, 0), (-180, 0), (0, 0), (179.9, 45), (-90, -89.9)]


def test_no_hidden_character_is_left(plain: Page) -> None:
    """Of all of Unicode, just what is seen and moves nothing stands for itself."""
    body = """
      const kept = [];
      for (let code = 0; code < 0x110000; code += 1) {
        const one = String.fromCodePoint(code);
        if (m.clean(one) === one) kept.push(code);
      }
      return kept;
    """
    kept = set(plain.call("format.js", body))
    # A newer browser knows characters that this Python does not.
    known = [code for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) != "Cn"]
    expected = {code for code in known if unicodedata.category(chr(code)) not in HIDDEN}
    assert kept & set(known) == expected


def test_floods_are_cut(plain: Page) -> None:
    """A text of a million characters is cut, and its length told."""
    shown = plain.call("format.js", "return m.clean('a'.repeat(1e6));")
    assert len(shown) < 2100
    assert shown.endswith("(1,000,000 characters)")


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("count(1234567)", "1,234,567"),
        ("share(1, 1e6)", "< 0.001 %"),
        ("share(999999, 1e6)", "> 99.999 %"),
        ("share(0, 5)", "0 %"),
        ("share(5, 5)", "100 %"),
        ("share(0, 0)", "0 %"),
        ("share(1, 8)", "12.5 %"),
        ("bytes(1)", "1 byte"),
        ("bytes(1023)", "1,023 bytes"),
        ("bytes(12800)", "12.5 KiB"),
        ("clock(59.6)", "1:00"),
        ("clock(600)", "10:00"),
        ("clock(3600)", "1:00:00"),
        ("clock(172800)", "2 d"),
        ("clock(10512000)", "121 d 16:00"),
        ("duration(20)", "20 s"),
        ("duration(600)", "10 min"),
        ("duration(31536000)", "365 d"),
        ("place(-23.5, -46.6)", "24° S 47° W"),
        ("place(0, 190)", "0° N 170° W"),
        ("times(1.26)", "\u00d71.3"),
        ("times(21.4)", "\u00d721"),
        ("plural(1, 'record')", "1 record"),
    ],
)
def test_values_become_words(plain: Page, call: str, expected: str) -> None:
    """Numbers have separators and units, and a little is never told as nothing."""
    assert plain.call("format.js", f"return m.{call};").replace("\xa0", " ") == expected


def test_lit_side_is_where_the_source_is_seen(plain: Page) -> None:
    """A point lies in the lit shape just when it is less than 90 degrees from under the source."""
    sources = points_of(40)
    shapes = plain.call("projection.js", "return a[0].map((each) => m.hemisphere(each));", sources)
    checked = 0
    for source, shape in zip(sources, shapes, strict=True):
        for point in points_of(POINTS)[:POINTS]:
            away = separation(source, point)
            if abs(away - 90) < 1 or abs(source[1]) < 1:
                continue  # a shape of straight pieces; at the equator its edge stands upright
            assert is_inside(point, shape) == (away < 90), (source, point)
            checked += 1
    assert checked > 10_000


def test_circles_are_round(plain: Page) -> None:
    """A point lies in the drawn circle just when it is no further from the middle than its radius.

    Also where the circle has a pole inside, or crosses the edge of the map.
    """
    cases = [(*point, radius) for point in points_of(30) for radius in (3, 12, 40)]
    body = "return a[0].map(([x, y, radius]) => m.circle([x, y], radius));"
    shapes = plain.call("projection.js", body, cases)
    checked = 0
    for (x, y, radius), copies in zip(cases, shapes, strict=True):
        for point in points_of(POINTS)[:POINTS]:
            away = separation((x, y), point)
            near_pole = abs(90 - abs(y) - radius) < 2 or abs(y) == 90
            if abs(away - radius) < 1.5 or near_pole:
                continue  # at a pole the plane's edge is a line
            inside = sum(is_inside(point, copy) for copy in copies)
            assert inside == (away < radius), (x, y, radius, point)
            checked += 1
    assert checked > 20_000


def test_projection_keeps_areas(plain: Page) -> None:
    """Cells of equal area on the sphere have equal areas on the map, to a hundredth."""
    body = """
      const project = m.projectTo(1000);
      return a[0].map((ring) => {
        const p = ring.map(project);
        return Math.abs(p.reduce((sum, [x, y], at) => {
          const [u, v] = p[(at + 1) % p.length];
          return sum + x * v - u * y;
        }, 0)) / 2;
      });
    """
    rings = []
    steps = 40
    for longitude in (-180.0, -70.0, 0.0, 120.0):
        for latitude in (-85.0, -40.0, 0.0, 30.0, 75.0):
            edge = [(longitude + 10 * at / steps, latitude) for at in range(steps)]
            edge += [(longitude + 10, latitude + 5 * at / steps) for at in range(steps)]
            edge += [(longitude + 10 - 10 * at / steps, latitude + 5) for at in range(steps)]
            edge += [(longitude, latitude + 5 - 5 * at / steps) for at in range(steps)]
            rings.append(edge)
    areas = plain.call("projection.js", body, rings)
    per_unit = [
        area / (math.sin(math.radians(ring[0][1] + 5)) - math.sin(math.radians(ring[0][1])))
        for ring, area in zip(rings, areas, strict=True)
    ]
    assert max(per_unit) / min(per_unit) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("seconds", [60, 600, 610, 660, 1199, 1200, 1380, 1800, 9999, None])
def test_cut_knows_nothing_of_later(plain: Page, seconds: int | None) -> None:
    """Cut at a time there are the whole windows before it, and the alarms raised by then."""
    timeline = make_supernova().timeline
    cut = plain.call("timeline.js", "return m.cut(a[0], a[1]);", timeline, seconds)
    until = 1800 if seconds is None else min(1800, seconds)
    assert cut["windows"] == until // 60
    for name, rows in timeline["series"].items():
        assert cut["series"][name] == [row[: until // 60] for row in rows], name
    expected = [each for each in timeline["alarms"] if each["detected_seconds"] <= until]
    assert [each["kind"] for each in cut["alarms"]] == [each["kind"] for each in expected]
    for alarm, whole in zip(cut["alarms"], expected, strict=True):
        end = whole["end_seconds"]
        assert alarm["end_seconds"] == (end if end <= until else None)


def test_excess_is_against_quiet_time(plain: Page) -> None:
    """What is usual is the middle of the windows that no alarm of the cluster touches."""
    timeline = make_supernova().timeline
    body = "return m.excessOf(a[0], m.burstsOf(a[0])[0], null);"
    found = plain.call("timeline.js", body, timeline)
    for at, each in enumerate(found):
        row = timeline["series"]["affected_machines"][at]
        is_tokyo = timeline["clusters"][at]["name"] == "tokyo"
        quiet = row[:10] + row[20:23] + row[25:] if is_tokyo else row[:10] + row[20:]
        assert each["usual"] == sorted(quiet)[len(quiet) // 2]
        assert each["during"] == pytest.approx(sum(row[10:20]) / 10)
        assert each["ratio"] == pytest.approx(each["during"] / each["usual"])


def test_few_counts_give_no_ratio(plain: Page) -> None:
    """Where less than one a window is usual, the page claims no multiple of it."""
    timeline = make_supernova().timeline
    timeline["series"]["affected_machines"][0] = [0] * 10 + [7] * 10 + [0] * 9 + [1]
    found = plain.call("timeline.js", "return m.excessOf(a[0], a[0].alarms[0], null)[0];", timeline)
    assert (found["usual"], found["during"], found["ratio"]) == (0.05, 7, None)


def test_one_in_a_million_has_a_bar(plain: Page) -> None:
    """Bars grow with the records, none is empty but that of nothing, and none is too long."""
    records = [0, 1, 2, 9, 10, 999, 10**6]
    widths = plain.call("funnel.js", "return a[0].map((n) => m.barPercent(n, 6));", records)
    assert widths[0] == 0
    assert widths[1] > 1
    assert widths[-1] == pytest.approx(100)
    assert widths == sorted(widths)


@pytest.mark.parametrize("per_line", [8, 16])
def test_hex_lines_lose_nothing(plain: Page, per_line: int) -> None:
    """Every byte is there as digits, under the offset of its line; unseen ones are dots."""
    raw = bytes(range(256)) + b"tail"
    body = "return m.hexLines(a[0], 4096, a[1]);"
    lines = plain.call("hex.js", body, raw.hex(), per_line)
    assert bytes.fromhex(" ".join(line["digits"] for line in lines)) == raw
    offsets = [int(line["offset"], 16) for line in lines]
    assert offsets == list(range(4096, 4096 + len(raw), per_line))
    text = "".join(line["text"] for line in lines)
    assert text == "".join(chr(byte) if 32 <= byte < 127 else "\u00b7" for byte in raw)


def test_polling_slows_down_and_sleeps(plain: Page) -> None:
    """After each failure it waits twice as long, up to 30 s; while hidden it asks nothing."""
    body = """
      const [waits, errors] = [[], []];
      const [set, clear] = [window.setTimeout, window.clearTimeout];
      let next = null;
      let hidden = false;
      window.setTimeout = (run, wait) => { waits.push(wait); next = run; return 1; };
      window.clearTimeout = () => { next = null; };
      Object.defineProperty(document, 'hidden', { get: () => hidden, configurable: true });
      let failing = true;
      let asked = 0;
      const settle = async () => { for (let i = 0; i < 9; i += 1) await null; };
      const ask = async () => { asked += 1; if (failing) throw new Error('gone'); };
      m.startPolling(ask, () => 1234, (error, wait) => errors.push(wait));
      await settle();
      for (let round = 0; round < 6; round += 1) { next(); await settle(); }
      failing = false;
      next();
      await settle();
      hidden = true;
      document.dispatchEvent(new Event('visibilitychange'));
      const asleep = next === null;
      const before = asked;
      hidden = false;
      document.dispatchEvent(new Event('visibilitychange'));
      await settle();
      const woke = asked - before;
      Object.assign(window, { setTimeout: set, clearTimeout: clear });
      return { waits, errors, asleep, woke };
    """
    told = plain.call("poll.js", body)
    slower = [2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]
    assert told["errors"] == slower
    assert told["waits"] == [*slower, 1234, 1234]
    assert told["asleep"]
    assert told["woke"] == 1
