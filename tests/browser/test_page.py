"""The page in a real browser: what it asks for, what hostile words do, keys, widths, colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from selenium.webdriver.common.keys import Keys

from tests.support.page_jobs import HOSTILE

if TYPE_CHECKING:
    from tests.support.chromium import Page
    from tests.support.page_server import Backend

JOBS = ("supernova", "plain", "failed", "running", "empty")
CONTRAST_LEAST = 4.5
NAMED_ROLES = {
    "button",
    "combobox",
    "dialog",
    "image",
    "link",
    "radio",
    "region",
    "slider",
    "table",
}
SHOWN_HOSTILE = HOSTILE.translate({code: f"⟨U+{code:04X}⟩" for code in (0x202E, 0x07, 0xD800)})
# The contrast of every text that is seen with what lies behind it, by the formula of WCAG 2.
CONTRASTS = """
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const parse = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
  const contrast = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const fill = (selector) => parse(getComputedStyle(document.querySelector(selector)).fill);
  const found = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    const isExempt = element.matches(':disabled, .unseen, .skip');
    if (!own || isExempt || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    if (!element.closest('svg')) {
      found.push([element.textContent.slice(0, 30), contrast(parse(style.color), behind(element))]);
      continue;
    }
    const seas = ['.sea', '.lit'].filter((name) => document.querySelector('#map ' + name));
    for (const sea of seas) {
      const ratio = contrast(parse(style.fill), fill('#map ' + sea));
      found.push([element.textContent + ' on ' + sea, ratio]);
    }
  }
  return found;
"""


def wait_for_text(page: Page, selector: str, expected: str) -> None:
    """Wait until an element says this."""
    page.wait(lambda: page.text(selector) == expected)


@pytest.mark.parametrize("job", JOBS)
def test_page_stays_at_home(page: Page, job: str) -> None:
    """Under the served policy nothing is refused, nothing fails, and nobody else is asked."""
    page.read_requests()
    page.open(job)
    page.wait(lambda: page.text("#connection") != "Asking the server")
    assert page.read_errors() == []
    requests = [url for url in page.read_requests() if not url.startswith(("data:", "about:"))]
    assert len(requests) > 20
    assert [url for url in requests if not url.startswith(page.address)] == []


def test_hostile_words_are_inert(page: Page) -> None:
    """Markup in names and findings is shown as it stands; what is unseen is shown by number."""
    page.open("failed")
    assert SHOWN_HOSTILE in page.texts("#verdict li")[1]
    assert SHOWN_HOSTILE in page.texts("#command")[0]
    page.open("plain")
    page.wait(lambda: page.count("#rows tbody tr") > 0)
    assert page.texts("#rows .file")[0] == f"crawl/{SHOWN_HOSTILE}.warc.gz"
    assert page.count("img, iframe, object, svg script, main script") == 0
    assert page.run("return document.title").startswith("plain: complete ")
    assert page.read_errors() == []


def test_hostile_job_name_is_inert(page: Page, backend: Backend) -> None:
    """A folder may be called anything; it is a name, in the chooser, the title and the address."""
    job = backend.jobs.pop("plain")
    job.job["name"] = "<b>&\"'#?"
    backend.jobs["<b>&\"'#?"] = job
    page.open("<b>&\"'#?")
    assert page.text("#event") == "61 of 66 pages indexed."
    chosen = page.run("return document.getElementById('job').selectedOptions[0].textContent")
    assert chosen == "<b>&\"'#?: complete, correct"
    report = page.run("return document.getElementById('report').href")
    assert report == f"{page.address}report?name=%3Cb%3E%26%22%27%23%3F"


@pytest.mark.parametrize("width", [320, 400, 800, 1400])
@pytest.mark.parametrize("job", ["supernova", "plain", "failed"])
def test_nothing_sticks_out(page: Page, job: str, width: int) -> None:
    """No page scrolls sideways, at any width, with all details open."""
    page.open(job, width)
    page.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    page.wait(lambda: page.count("#inputs tr") > 1)
    assert page.run("return document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("job", ["supernova", "failed", "plain"])
def test_text_stands_out(page: Page, job: str, *, is_dark: bool) -> None:
    """Every text has a contrast of 4.5 at least, on what lies behind it, light and dark."""
    page.open(job, is_dark=is_dark)
    page.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    if job == "supernova":
        page.wait(lambda: page.count("#map .label") > 0)
    found = page.run(CONTRASTS)
    assert len(found) > 60
    assert [each for each in found if each[1] < CONTRAST_LEAST] == []


def test_colours_can_be_chosen(page: Page) -> None:
    """The button goes through system, light and dark, and charts are drawn in the new colours."""
    page.open("supernova")
    background = "return getComputedStyle(document.body).backgroundColor"
    picture = "return document.querySelector('.chart canvas').toDataURL()"
    light, drawn = page.run(background), page.run(picture)
    page.click("#theme")
    assert (page.text("#theme"), page.run(background)) == ("Colours: light", light)
    page.click("#theme")
    assert page.text("#theme") == "Colours: dark"
    assert page.run(background) != light
    page.wait(lambda: page.run(picture) != drawn)
    page.prefer(is_dark=True)
    page.click("#theme")
    assert page.text("#theme") == "Colours: auto"
    assert page.run(background) != light


def test_keys_reach_everything(page: Page) -> None:
    """Whatever can be done with the mouse is reached by the tab key, and shows its focus."""
    page.open("supernova")
    page.wait(lambda: page.count("#rows button") == 2)
    page.wait(lambda: page.count("#map .sign") == 12)
    reached: list[str] = []
    without_sign: list[str] = []
    for _ in range(80):
        page.press_tab()
        name = page.focused()
        if name in reached[:1] or name.startswith("body"):
            break
        reached.append(name)
        sign = page.run(
            "const e = document.activeElement;"
            "const at = e.type === 'radio' ? e.nextElementSibling : e;"
            "return getComputedStyle(at).outlineStyle"
        )
        if sign == "none":
            without_sign.append(name)
    expected = {
        *("a Skip to the content", "job", "report", "theme", "play", "slider", "pace"),
        *("summary Clusters as a table", "charts", "summary Counts as a table", "inputs-count"),
        *("rows", "Show the bytes of row 0, 12,800 bytes"),
    }
    words = {name.removeprefix("div ").removeprefix("button ") for name in reached}
    assert expected - words == set()
    assert any(name.startswith("input") for name in reached)
    assert without_sign == []


def test_skip_link_skips(page: Page) -> None:
    """The first key leads past the header into the content."""
    page.open("plain")
    page.press_tab()
    page.press(Keys.ENTER)
    assert page.focused() == "content"


def find_nameless(page: Page) -> list[str]:
    """Return the roles of what a screen reader meets and cannot call by a name."""
    tree = page.chrome.execute_cdp_cmd("Accessibility.getFullAXTree", {})
    nodes: list[dict[str, Any]] = tree["nodes"]
    return [
        node["role"]["value"]
        for node in nodes
        if node.get("role", {}).get("value") in NAMED_ROLES
        and not node["ignored"]
        and not node.get("name", {}).get("value")
    ]


def test_everything_has_a_name(page: Page) -> None:
    """Each control has a name that a screen reader can say, and the page has one first heading."""
    page.open("supernova")
    page.wait(lambda: page.count("#map .sign") == 12)
    page.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert find_nameless(page) == []
    assert (page.count("h1"), page.count("main")) == (1, 1)
    assert page.run("return document.documentElement.lang") == "en"
    page.click("#rows button")
    page.wait(lambda: page.count("#bytes button") == 3)
    assert find_nameless(page) == []


def test_quarantine_is_browsed(page: Page) -> None:
    """Things are listed by pages of 25, and the pager says where one is."""
    page.open("plain")
    page.wait(lambda: page.count("#rows tbody tr") == 25)
    assert page.texts("#reasons tbody tr") == ["inputbad gzip100", "parsecrashes worker34"]
    assert page.text("#pager [role=status]") == "1-25 of 134"
    for expected in ("26-50", "51-75", "76-100", "101-125", "126-134"):
        page.click("#pager button:last-child")
        wait_for_text(page, "#pager [role=status]", f"{expected} of 134")
    assert page.count("#rows tbody tr") == 9
    assert page.run("return document.querySelector('#pager button:last-child').disabled")
    page.click("#pager button:first-child")
    page.wait(lambda: page.text("#pager [role=status]") == "101-125 of 134")


def test_raw_bytes_are_shown(page: Page, backend: Backend) -> None:
    """The dialog shows every byte as digits, pages through them, and gives the focus back."""
    page.open("plain")
    page.wait(lambda: page.count("#rows tbody tr") == 25)
    page.focus("#rows button")
    page.press(Keys.ENTER)
    page.wait(lambda: page.count("#hex > div") == 256)
    raw = backend.jobs["plain"].raw
    shown = bytes.fromhex(" ".join(page.texts("#hex .digits")))
    page.focus("#bytes-next")
    while page.run("return !document.getElementById('bytes-next').disabled"):
        page.press(Keys.ENTER)
        last = min(len(raw), len(shown) + 4096) - 1
        wait_for_text(page, "#bytes-range", f"bytes {len(shown):,}-{last:,} of {len(raw):,}")
        shown += bytes.fromhex(" ".join(page.texts("#hex .digits")))
    assert shown == raw
    page.press(Keys.ESCAPE)
    assert page.count("#bytes") == 0
    assert page.focused() == "button Show the bytes of row 0, 12,800 bytes"


def test_bytes_fit_a_telephone(page: Page) -> None:
    """At 400 pixels a line of the dialog has eight bytes, and nothing scrolls sideways."""
    page.open("plain", 400)
    page.wait(lambda: page.count("#rows tbody tr") == 25)
    page.click("#rows button")
    page.wait(lambda: page.count("#hex > div") == 512)
    wide = "const e = document.getElementById('hex'); return e.scrollWidth - e.clientWidth"
    assert page.run(wide) == 0
    assert page.run("return document.documentElement.scrollWidth") == 400


def test_running_job_is_followed(page: Page, backend: Backend) -> None:
    """What the job commits appears without a key being pressed, and its end, too."""
    page.open("running")
    assert page.text("#parts") == "13 of 40 parts committed"
    assert page.text("#connection") == "Live"
    backend.jobs["running"].job["parts"] = {"pending": 0, "committed": 40}
    page.wait(lambda: page.text("#parts") == "40 of 40 parts committed")
    backend.jobs["running"].job |= {"status": "complete", "seconds": 30.5}
    page.wait(lambda: page.text("#connection") == "Job complete")


def test_trouble_is_told_and_ends(page: Page, backend: Backend) -> None:
    """When the server refuses, the page says why and keeps what it has; then it goes on."""
    page.open("running")
    backend.is_broken = True
    page.wait(lambda: page.count("#trouble") == 1)
    told = "the folder cannot be read. What is shown is from before. Asking again in "
    assert page.text("#trouble-text").startswith(told)
    assert page.count("#hops table") == 4
    backend.is_broken = False
    page.click("#retry")
    page.wait(lambda: page.count("#trouble") == 0)
    assert page.text("#connection") == "Live"


def test_slow_timeline_holds_up_nothing(page: Page, backend: Backend) -> None:
    """A job is shown at once, and its course of time as soon as the server has read it."""
    backend.has_timeline.clear()
    page.open("supernova")
    assert page.text("#event") == "2,100,654 of 2,204,101 pages indexed."
    assert page.text("#connection") == "Reading what happened when"
    assert page.count("#course") == 0
    backend.has_timeline.set()
    page.wait(lambda: page.text("#event").startswith("Burst from above "))
    page.wait(lambda: page.count("#map .sign") == 12)


def test_silent_server_is_told(page: Page, backend: Backend) -> None:
    """When nobody answers any more, the page says so, and asks by itself until somebody does."""
    page.open("running")
    backend.is_gone = True
    wait_for_text(page, "#connection", "Server gone")
    assert page.text("#trouble-text").startswith("The server does not answer. ")
    assert "sealedbeam serve DIR" in page.text("#trouble-text")
    backend.is_gone = False
    wait_for_text(page, "#connection", "Live")
    assert page.count("#trouble") == 0


def test_empty_folder_teaches(page: Page, backend: Backend) -> None:
    """Without a job the page says how one comes about, and shows it once it is there."""
    jobs = dict(backend.jobs)
    backend.jobs.clear()
    page.chrome.get(page.address)
    page.wait(lambda: page.count("#no-jobs") == 1)
    assert "sealedbeam index" in page.text("#no-jobs")
    backend.jobs["plain"] = jobs["plain"]
    page.chrome.refresh()
    page.wait(lambda: page.text("#event") == "61 of 66 pages indexed.")


def test_jobs_are_chosen(page: Page) -> None:
    """The chooser and the address both lead to a job, and the address tells which is shown."""
    page.open("plain")
    page.run(
        "const box = document.getElementById('job'); box.value = 'failed';"
        "box.dispatchEvent(new Event('change'))"
    )
    page.wait(lambda: page.text("#event") == "The job failed: do not use its output.")
    assert page.run("return location.hash") == "#job=failed"
    page.run("location.hash = '#job=plain'")
    page.wait(lambda: page.text("#event") == "61 of 66 pages indexed.")


def test_page_prints(page: Page) -> None:
    """Printed, the page is light and has no controls."""
    page.open("supernova", is_dark=True)
    page.chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert page.count("nav, #scrubber, #pager, #measures") == 0
    assert (
        page.run("return getComputedStyle(document.body).backgroundColor") == "rgb(251, 251, 249)"
    )
    assert page.count("#map svg, #hops table, #verdict") == 6
    page.chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
