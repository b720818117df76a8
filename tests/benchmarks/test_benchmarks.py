"""The benchmark's own arithmetic, and that rival and corpus fit together."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
from selectolax.lexbor import LexborHTMLParser

from tests.benchmarks import compare, corpus, measure, rival

if TYPE_CHECKING:
    from pathlib import Path

HTML = "<title>Söme</title><body>one<p>two<script>three</script>".encode()
HTML += b"<style>" + b"four</style>".rjust(92 - len(HTML), b"!")  # two kilobytes in six files


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    folder = tmp_path / "html" / "a"
    folder.mkdir(parents=True)
    for number in range(6):
        (folder / f"{number}.html").write_bytes(HTML * (number + 1))
    (folder / "0-again.html").symlink_to(folder / "0.html")
    (folder / "empty.html").touch()
    return tmp_path / "html"


@pytest.mark.parametrize(("text", "expected"), [("100MB", 10**8), ("1gb", 10**9), ("5KB", 5000)])
def test_size_is_in_powers_of_ten(text: str, expected: int) -> None:
    """A size is a whole number and a decimal unit."""
    assert expected == corpus.parse_size(text)


@pytest.mark.parametrize("text", ["", "MB", "0MB", "1.5GB", "-1GB", "100", "1 GB"])
def test_other_sizes_are_refused(text: str) -> None:
    """What is no whole number with a unit is refused, not guessed at."""
    with pytest.raises(ValueError, match="100MB or 1GB"):
        corpus.parse_size(text)


def test_corpus_is_the_same_bytes_every_time(pages: Path, tmp_path: Path) -> None:
    """The same pages give the same archives; links and empty files are left out."""
    first, described = corpus.build_corpus("2KB", tmp_path / "one", pages)
    second, _ = corpus.build_corpus("2KB", tmp_path / "two", pages)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert described.pages == 6
    assert described.html_bytes == len(HTML) * 21


def test_large_corpus_goes_round_the_pages_again(pages: Path) -> None:
    """More than all pages are had by going round them, each time as other pages."""
    found = corpus.find_pages([pages])
    chosen = corpus.choose_pages(found, len(HTML) * 50)
    assert found == chosen[:6]
    assert len(chosen) == len({page.url for page in chosen}) > 12
    assert len(chosen) == len({page.read() for page in chosen})


def test_small_corpus_is_the_beginning_of_a_large_one(pages: Path) -> None:
    """Choosing less takes fewer pages of the same order, and at least the bytes asked for."""
    found = corpus.find_pages([pages])
    chosen = corpus.choose_pages(found, len(HTML) * 4)
    assert chosen == found[: len(chosen)]
    assert sum(page.length_bytes for page in chosen) >= len(HTML) * 4
    assert sum(page.length_bytes for page in chosen[:-1]) < len(HTML) * 4


def test_rival_indexes_every_page(
    pages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rival reads each page of the corpus once and keeps script and style out."""
    archives, described = corpus.build_corpus("2KB", tmp_path / "cache", pages)
    output = tmp_path / "output"
    found = rival.index_archives([str(path) for path in archives], str(output), 1, 50)
    assert described.pages == found
    assert rival.extract_text(LexborHTMLParser(HTML)) == ("Söme", "one two")
    assert capsys.readouterr().out == ""


def test_linking_rival_resolves_links() -> None:
    """With links the rival stores each target once, as an absolute URL."""
    tree = LexborHTMLParser("<a href=x#y>1</a><a href=//[>2</a><a href='/z'>3</a><a href=/z>4</a>")
    expected = ["https://h.example/a/x#y", "https://h.example/z"]
    assert expected == rival.extract_links(tree, "https://h.example/a/b")


def test_cost_covers_the_whole_process_tree() -> None:
    """Processor time of a grandchild and the memory of the largest process are seen."""
    burn = "import time\nx=bytearray(80_000_000)\nend=time.process_time()+0.3\n"
    burn += "while time.process_time()<end: pass"
    wrap = f"import subprocess,sys\nprint(subprocess.call([sys.executable,'-c',{burn!r}]))"
    cost = measure.run_measured([sys.executable, "-c", wrap])
    assert (cost.exit_code, cost.output) == (0, "0\n")
    assert cost.cpu_seconds >= 0.3
    assert cost.peak_rss_bytes >= 80_000_000


def test_high_water_mark_is_read_from_status() -> None:
    """VmHWM is in KiB; a kernel thread has none."""
    assert measure.high_water_bytes("Name:\tx\nVmHWM:\t   12 kB\n") == 12 * 1024
    assert measure.high_water_bytes("Name:\tx\n") == 0


def test_every_round_begins_with_another_subject() -> None:
    """Rotation gives each subject each place in turn."""
    assert compare.order_subjects("abc", 0) == ["a", "b", "c"]
    assert compare.order_subjects("abc", 4) == ["b", "c", "a"]


def test_ratios_are_taken_within_a_round() -> None:
    """A round in which the machine was twice as slow does not change a ratio."""
    runs = [
        compare.Run(subject, number, wall * slow, wall, 10, 20)
        for number, slow in enumerate((1.0, 2.0, 1.0))
        for subject, wall in (("rival", 2.0), ("none", 4.0), ("correct", 5.0))
    ]
    rows = {row.subject: row for row in compare.summarise(runs, pages=8, html_bytes=80)}
    assert rows["correct"].throughput_to_rival == pytest.approx(0.4)
    assert rows["correct"].cpu_to_none == pytest.approx(1.25)
    assert (rows["rival"].pages_per_second, rows["rival"].html_bytes_per_second) == (4, 40)
    assert "| correct | 5.00 | 2 | 0.0 | 5.00 | 0 | 0.0 | 0.400 | 1.250 |" in (
        compare.format_table(list(rows.values()))
    )


def test_wrong_page_count_ends_the_benchmark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A subject that skips pages is not timed."""
    cost = measure.Cost(0, 1.0, 1.0, 1, json.dumps({"pages": 5}))
    monkeypatch.setattr(compare, "run_measured", lambda _: cost)
    with pytest.raises(SystemExit, match="5 pages of 6"):
        compare.run_subject("rival", [], 6, tmp_path)
