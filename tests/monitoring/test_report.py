"""Claims about the report: it says what happened, needs nothing else, and trusts no text."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.faults.journal import FaultOutcome
from sealedbeam.monitoring.markup import join, table, tag
from sealedbeam.monitoring.publish import METRICS, REPORT, TRUTH, publish
from sealedbeam.monitoring.report import render_report
from sealedbeam.monitoring.view import read_view
from sealedbeam.pipeline.errors import IntegrityError, SealedBeamError
from sealedbeam.pipeline.integrity.reconcile import Reconciliation, Verdict
from sealedbeam.pipeline.text import harmless

from tests.support.views import COMMAND, Totals, add_campaign, make_folder, make_summary

if TYPE_CHECKING:
    from pathlib import Path

VOID = {"meta"}


class Page(HTMLParser):
    """What a browser makes of a page: elements, attributes, text; and that each one is closed."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(data.decode())
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text += f"{data}\n"


def show(
    root: Path, totals: Totals | None = None, path: str = "a.warc.gz", command: str = COMMAND
) -> Page:
    make_folder(root, path)
    view = read_view(root, totals or Totals(), make_summary(), command)
    return Page(render_report(view))


def test_report_says_what_happened(tmp_path: Path) -> None:
    """Inputs, hops, what was set aside with its place, the verdict and the command are there."""
    text = show(tmp_path).text
    for expected in (
        "Ledger: balanced",
        "a.warc.gz",
        "12,345",
        "documents",
        "bad_gzip",
        "[1,000 .. 1,234)",
        "rejected: revisit",
        COMMAND,
        "configuration hash",
    ):
        assert expected in text
    assert "Simulated faults" not in text
    assert "When and where" not in text


def test_report_needs_no_network_and_no_script(tmp_path: Path) -> None:
    """No element loads anything, no attribute runs anything, and the page forbids both."""
    page = show(tmp_path)
    assert set(page.tags).isdisjoint({"script", "link", "img", "iframe", "object", "a", "form"})
    names = {name for name, _ in page.attributes}
    assert names.isdisjoint({"src", "href", "srcset", "action", "background"})
    assert not any(name.startswith("on") for name in names)
    policies = [value for name, value in page.attributes if name == "content"]
    assert any(value and value.startswith("default-src 'none'") for value in policies)


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", '"><img src=x onerror=x>', "a\ud800b"]
)
def test_hostile_texts_are_shown_and_not_obeyed(tmp_path: Path, hostile: str) -> None:
    """A path, a finding and a command that look like markup stay text; so does half a character."""
    reconciliation = Reconciliation(Verdict.IMBALANCED, (hostile,), 1)
    page = show(tmp_path, Totals(reconciliation=reconciliation), hostile, hostile)
    assert set(page.tags).isdisjoint({"script", "img"})
    shown = hostile.replace("\ud800", "\ufffd")
    assert page.text.replace("a?b", shown).count(shown) == 4  # finding, input, quarantine, command


def test_imbalance_is_told(tmp_path: Path) -> None:
    """A ledger that is out is told with every finding."""
    reconciliation = Reconciliation(Verdict.IMBALANCED, ("hop pages: 6 sealed, 5 ended",), 1)
    totals = Totals(reconciliation=reconciliation, too_many_dropped=("hop runs: too many",))
    text = show(tmp_path, totals).text
    assert "must not be used" in text
    assert "hop pages: 6 sealed, 5 ended" in text
    assert "hop runs: too many" in text


def test_escapes_turn_the_report_bad(tmp_path: Path) -> None:
    """Under a scenario the report shows it, its acceleration, and every escape."""
    make_folder(tmp_path)
    add_campaign(tmp_path, (FaultOutcome.ESCAPED, FaultOutcome.CORRECTED))
    figures = {"injected": 2, "corrected": 1, "escaped": 1}
    view = read_view(tmp_path, Totals(), make_summary(faults=figures), COMMAND)
    page = Page(render_report(view))
    assert "a <scenario>" in page.text
    assert "Accelerated." in page.text
    assert "1 simulated faults escaped" in page.text
    assert "When and where" in page.text
    assert "Each column is 1 simulated minutes." in page.text
    assert ("class", "verdict bad") in page.attributes


@given(st.text(), st.text())
def test_markup_escapes_what_is_no_markup(text: str, attribute: str) -> None:
    """A browser reads back text and attribute, whatever they contain, but for their controls."""
    page = Page(tag("p", text, title=attribute).encode())
    clean = harmless(attribute)
    assert page.tags == ["p"]
    assert page.attributes == ([("title", clean)] if clean else [])
    assert harmless(text) == page.text.replace("\n", "") or "\n" in text


def test_tables_and_joins_escape_their_cells() -> None:
    """Text among markup is escaped, markup is not escaped twice."""
    expected = '<table><tbody><tr><td>&lt;</td><td class="number">1,000</td></tr></tbody></table>'
    assert expected == table((), [("<", "1,000")])
    assert join(("<", tag("b", "&"))) == "&lt;<b>&amp;</b>"


def test_publish_writes_whole_files(tmp_path: Path) -> None:
    """Metrics and report appear, truth only under a scenario, and nothing is left beside them."""
    make_folder(tmp_path)
    publish(tmp_path, Totals(), make_summary(), COMMAND)
    assert {p.name for p in tmp_path.iterdir() if p.is_file()} == {METRICS, REPORT}
    before = (tmp_path / METRICS).read_bytes()
    add_campaign(tmp_path, ())
    publish(tmp_path, Totals(), make_summary(), COMMAND)
    assert {p.name for p in tmp_path.iterdir() if p.is_file()} == {METRICS, REPORT, TRUTH}
    assert before != (tmp_path / METRICS).read_bytes()  # the scenario's name


def test_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A file that cannot be replaced is an error with its name and the next step."""
    make_folder(tmp_path)
    (tmp_path / METRICS).mkdir()
    with pytest.raises(SealedBeamError, match=r"cannot write .*metrics\.prom: .*; put that"):
        publish(tmp_path, Totals(), make_summary(), COMMAND)


@pytest.mark.parametrize("damage", ["ledger/job.json", "quarantine/part-00000.parquet"])
def test_damaged_folder_is_told(tmp_path: Path, damage: str) -> None:
    """A committed file that cannot be read is an integrity error."""
    make_folder(tmp_path)
    (tmp_path / damage).write_bytes(b"{")
    with pytest.raises(IntegrityError, match="cannot be shown"):
        publish(tmp_path, Totals(), make_summary(), COMMAND)
