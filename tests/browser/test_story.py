"""What the page tells of a burst, at the end of it and on the way, and of other jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.support.page_jobs import make_supernova

if TYPE_CHECKING:
    from tests.support.chromium import Page
    from tests.support.page_server import Backend


def test_headline_tells_the_burst(page: Page) -> None:
    """One sentence says from where, when, whom and how badly; the next that nothing was lost."""
    page.open("supernova")
    event = "Burst from above 31° N 39° W, 10:00 to 20:00: 8 of 12 clusters hit, up to x13."
    assert page.text("#event") == event
    assert page.text("#outcome") == "0 records lost; ledger balanced."
    facts = dict(zip(page.texts("#facts dt"), page.texts("#facts b"), strict=True))
    assert facts == {
        "Ledger": "balanced",
        "Records lost": "0",
        "Clusters hit": "8 of 12",
        "Hit hardest": "x13",
        "Noticed after": "20 s",
        "Simulated faults": "30,214",
    }


def test_map_shows_who_was_hit(page: Page) -> None:
    """Clusters in the burst are diamonds with their excess, the others rings; one side is lit."""
    page.open("supernova")
    page.wait(lambda: page.count("#map .sign") == 12)
    assert (page.count("#map path.sign.hit"), page.count("#map circle.sign.calm")) == (8, 4)
    assert [page.count(f"#map .{name}") for name in ("lit", "source", "uncertainty")] == [1, 1, 1]
    label = page.run("return document.querySelector('#map svg').getAttribute('aria-label')")
    assert "Source above 31°\u00a0N\u00a039°\u00a0W." in label
    assert "dublin \u00d713" in label
    assert "tokyo" not in label


def test_names_on_the_map_keep_apart(page: Page) -> None:
    """No name on the map covers another, or leaves the map, however wide it is."""
    page.open("supernova")
    script = """
      const map = document.querySelector('#map svg').getBoundingClientRect();
      const names = [...document.querySelectorAll('#map text')];
      const boxes = names.map((e) => e.getBoundingClientRect());
      const apart = (a, b) => a.right <= b.left || b.right <= a.left
        || a.bottom <= b.top + 3 || b.bottom <= a.top + 3;
      return [boxes.length,
        boxes.filter((a, i) => boxes.some((b, j) => i < j && !apart(a, b))).length,
        boxes.filter((a) => a.left < map.left - 1 || a.right > map.right + 1).length];
    """
    for width, least in ((400, 6), (800, 13), (1400, 13)):
        page.resize(width)
        page.wait(lambda: page.run("return document.querySelector('#map svg').clientWidth") > 0)
        page.wait(
            lambda: page.run(
                "const box = document.querySelector('#map');"
                "return Number(box.firstChild.getAttribute('width')) === box.clientWidth"
            )
        )
        labels, covered, outside = page.run(script)
        assert labels >= least, width
        assert (covered, outside) == (0, 0), width


def test_charts_show_the_hit_first(page: Page) -> None:
    """There is a chart for each cluster, the hardest hit first, and the calm say what is usual."""
    page.open("supernova")
    names = page.texts(".chart b")
    assert (len(names), names[0]) == (12, "dublin")
    assert page.count(".chart canvas") == 12
    assert page.count(".chart.hit") == 8
    assert page.texts(".chart.hit .value")[0] == "63 → 808, x13"
    assert all(text.startswith("usually ") for text in page.texts(".chart:not(.hit) .value"))


def test_scrubbing_goes_back_in_time(page: Page) -> None:
    """Before the burst nothing is known of it; within it, it lasts; the counts are cut there."""
    page.open("supernova")
    page.click("#values summary")
    page.wait(lambda: page.count("#values tbody tr") == 30)
    page.focus("#slider")
    page.press(Keys.HOME)
    page.wait(lambda: page.count("#values tbody tr") == 1)
    assert page.text("#event") == "At 1:00: No alarm in 1 min at 12 clusters."
    assert page.count(".chart.hit") == 0
    page.press(*[Keys.ARROW_RIGHT] * 12)
    page.wait(lambda: page.count("#values tbody tr") == 13)
    burst = "At 13:00: Burst from above 31° N 39° W, since 10:00: 8 of 12 clusters hit, up to x13."
    assert page.text("#event") == burst
    page.wait(lambda: page.count("#map .lit") == 1)
    page.press(*[Keys.ARROW_RIGHT] * 10)
    page.wait(lambda: page.text("#clock") == "23:00 of 30:00")
    page.wait(lambda: page.count("#map .lit") == 0)
    assert page.count("#map path.sign.hit") == 0
    page.press(Keys.END)
    page.wait(lambda: page.text("#event").startswith("Burst "))


def test_playing_goes_through_time(page: Page) -> None:
    """Play begins at the start and goes on by itself; pause stops it."""
    page.open("supernova")
    page.run(
        "const pace = document.getElementById('pace'); pace.value = '15';"
        "pace.dispatchEvent(new Event('change'))"
    )
    page.click("#play")
    assert page.text("#play") == "Pause"
    page.wait(lambda: page.text("#event").startswith("At 12:00: Burst "))
    page.click("#play")
    assert page.text("#play") == "Play"


def test_other_measures_can_be_shown(page: Page, backend: Backend) -> None:
    """Each series can be chosen, and the table behind the charts shows its counts."""
    page.open("supernova")
    page.click("#values summary")
    for name, rows in backend.jobs["supernova"].timeline["series"].items():
        page.click(f"#measures input[value={name}]")
        shown = page.texts("#values tbody tr:nth-child(11) td")
        assert shown == [f"{row[10]:,}" for row in rows], name


def test_pointing_tells_values(page: Page, backend: Backend) -> None:
    """Arrow keys on the charts point at a window, and each chart tells its count there."""
    page.open("supernova")
    page.focus("#charts")
    page.press(*[Keys.ARROW_RIGHT] * 11)
    page.wait(lambda: page.text("#pointed").startswith("10:00-11:00: "))
    timeline = backend.jobs["supernova"].timeline
    counts = {
        cluster["name"]: f"{row[10]:,}"
        for cluster, row in zip(
            timeline["clusters"], timeline["series"]["affected_machines"], strict=True
        )
    }
    shown = dict(zip(page.texts(".chart b"), page.texts(".chart .value"), strict=True))
    assert shown == counts
    page.press(Keys.ESCAPE)
    page.wait(lambda: page.count(".value.pointed") == 0)


def test_mouse_points_too(page: Page) -> None:
    """The mouse on one chart points at the same window in all of them."""
    page.open("supernova")
    chart = page.chrome.find_element("css selector", ".chart .u-over")
    ActionChains(page.chrome).move_to_element(chart).perform()
    page.wait(lambda: page.count(".value.pointed") == 12)
    assert page.text("#pointed").startswith(("14:00-15:00: ", "15:00-16:00: "))


def test_alarms_are_listed(page: Page) -> None:
    """Each alarm has its kind, time, delay, certainty, clusters and, if it has one, direction."""
    page.open("supernova")
    burst, sick = page.texts("#alarms li")
    expected = "burst, 10:00 to 20:00, noticed after 20 s, sure by 148 \u03c3. "
    assert burst.startswith(expected + "From above 31° N 39° W ± 3.1°. Clusters: the-dalles, ")
    sick_words = (
        "sick machine, 23:00 to 25:00, noticed after 10 s, sure by 41 \u03c3. Cluster: tokyo."
    )
    assert sick == sick_words


def test_bars_of_all_hops_share_a_scale(page: Page) -> None:
    """A bar of one hop can be compared with that of another: all tracks are equally long."""
    for job in ("supernova", "plain"):
        page.open(job)
        script = (
            "return [...document.querySelectorAll('#hops .track')]"
            ".map((each) => Math.round(each.clientWidth))"
        )
        widths = page.run(script)
        assert len(widths) == 16
        assert max(widths) - min(widths) <= 1, job


def test_plain_job_is_complete(page: Page) -> None:
    """A job of one site and one window has no map and no charts, and lacks nothing."""
    page.open("plain")
    assert page.text("#event") == "61 of 66 pages indexed."
    assert page.text("#outcome") == "0 records lost; ledger balanced."
    parts = ("#world", "#course", "#alarms-section", "#scrubber")
    assert [page.count(part) for part in parts] == [0, 0, 0, 0]
    captions = page.texts("#hops caption")
    expected = ["pages 66 records", "documents 62 records", "runs 2 records", "shards 1 record"]
    assert captions == expected
    assert page.texts("#hops table:first-child td.number") == [
        *("54", "81.8 %", "10", "15.2 %"),
        *("2", "3.0 %", "0", "0 %"),
    ]


def test_failed_job_says_so(page: Page) -> None:
    """What must not be used is told first, with every finding."""
    page.open("failed")
    assert page.text("#event") == "The job failed: do not use its output."
    assert page.text("#outcome") == "4 records unaccounted for; ledger imbalanced."
    assert page.count("#verdict.bad li") == 2
    assert page.count("#outcome svg.bad") == 1


def test_nobody_watching_is_not_quiet(page: Page, backend: Backend) -> None:
    """Where no machine has counters, the page does not claim that there was no alarm."""
    timeline = backend.jobs["supernova"].timeline
    zeros = [[0] * 30 for _ in timeline["clusters"]]
    timeline["series"] |= {"ecc_corrected": zeros, "ecc_uncorrected": zeros}
    timeline["alarms"] = []
    page.open("supernova")
    assert page.text("#event") == "2,100,654 of 2,204,101 pages indexed."
    assert page.text("#alarms").startswith("Alarms are made from the machines' own error counters")


def test_failure_comes_before_the_burst(page: Page, backend: Backend) -> None:
    """Of a job that failed in a burst the failure is told first."""
    backend.jobs["supernova"].job["status"] = "failed"
    page.open("supernova")
    first = "The job failed: do not use its output. Burst from above "
    assert page.text("#event").startswith(first)


def test_running_job_in_a_burst(page: Page, backend: Backend) -> None:
    """The burst is the headline, and how far the job is stands below, with what is set aside."""
    backend.jobs["running"].timeline = make_supernova().timeline
    page.open("running")
    assert page.text("#event").startswith("Burst from above ")
    expected = "Running: 13 of 40 parts done. 0 records set aside so far; ledger open."
    assert page.text("#outcome") == expected


@pytest.mark.parametrize(
    ("status", "event"),
    [
        ("stopped", "Stopped with 40 of 40 parts done; the same command goes on."),
        ("incomplete", "Some input is not an archive; the rest is indexed."),
    ],
)
def test_other_ends_are_told(page: Page, backend: Backend, status: str, event: str) -> None:
    """A job that was killed, and one with bad input, say what that means."""
    backend.jobs["plain"].job["status"] = status
    page.open("plain")
    assert page.text("#event") == event


def test_unsealed_records_prove_nothing(page: Page, backend: Backend) -> None:
    """Without seals the page does not claim that nothing was lost."""
    backend.jobs["plain"].job["ledger"]["verdict"] = "unknown"
    page.open("plain")
    assert page.text("#outcome") == "Records carried no seals: losses cannot be excluded."
    assert page.count("#verdict.warn") == 1
    assert "Records lost" not in page.texts("#facts dt")


def test_escaped_faults_are_never_called_good(page: Page, backend: Backend) -> None:
    """A balanced ledger does not hide that altered records were used."""
    backend.jobs["supernova"].job["truth"]["escaped"] = 3
    page.open("supernova")
    assert page.text("#outcome").startswith("3 faults escaped: altered records were used. 0 ")
    assert page.count("#outcome svg.bad") == 1
    assert page.count("#verdict.bad li") == 1


def test_dropped_records_are_not_called_lost(page: Page, backend: Backend) -> None:
    """What was set aside by name is told apart from what nobody can account for."""
    backend.jobs["plain"].job["hops"]["pages"]["dropped"] = 3
    page.open("plain")
    assert page.text("#outcome") == "0 records lost silently, 3 set aside; ledger balanced."


def test_burst_without_a_place_is_told(page: Page, backend: Backend) -> None:
    """Where no direction was found, the headline names none, and no side of the map is lit."""
    alarm = backend.jobs["supernova"].timeline["alarms"][0]
    alarm |= {"latitude_degrees": None, "longitude_degrees": None, "uncertainty_degrees": None}
    page.open("supernova")
    assert page.text("#event").startswith("Burst, 10:00 to 20:00: 8 of 12 clusters hit")
    page.wait(lambda: page.count("#map .sign") == 12)
    assert page.count("#map .lit") == 0


def test_replay_is_followed(page: Page, backend: Backend) -> None:
    """While the server replays, the page shows the clock and takes over what is new."""
    timeline = backend.jobs["running"].timeline
    timeline |= {"replay": {"pace": 60}, "now_seconds": 480}
    page.open("running")
    assert page.text("#connection") == "Replay at 8:00, 1 min a second"
    whole = make_supernova().timeline
    series = {name: [row[:13] for row in rows] for name, rows in whole["series"].items()}
    alarm = whole["alarms"][0] | {"end_seconds": None}
    timeline |= {"windows": 13, "now_seconds": 780, "series": series, "alarms": [alarm]}
    page.wait(lambda: "Burst from above 31° N 39° W, since 10:00" in page.text("#event"))
    assert page.text("#connection") == "Replay at 13:00, 1 min a second"
