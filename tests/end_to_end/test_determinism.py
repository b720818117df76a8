"""The same inputs and options give the same bytes, whoever does the work and in what order."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from sealedbeam.pipeline.index.search import Index

from tests.support.archives import build_archive, flip_bit, pack, page_record, response_record
from tests.support.flipping import DOUBLE_FLIP, FLIP, Rule
from tests.support.jobs import ROOT, SAMPLE, Job, all_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

QUERIES = [
    "the",
    "parity memory",
    '"cosmic rays"',
    "checksum",
    "Хэмминга",
    "turbo code",
    "xylophonist",
]


@pytest.fixture
def archives(tmp_path: Path) -> list[Path]:
    """Return the sample, and an archive with damage and copies in it."""
    pages = [page_record(number, body_bytes=500) for number in range(20)]
    pages += [response_record(f"http://copy.example/{n}", pages[n].body) for n in range(0, 20, 4)]
    archive = pack(pages)
    damaged = flip_bit(archive.data, archive.records[9].offset + 50)
    (tmp_path / "damaged.warc.gz").write_bytes(damaged)
    (tmp_path / "plain.warc").write_bytes(build_archive(5).data)
    return [SAMPLE, tmp_path / "damaged.warc.gz", tmp_path / "plain.warc"]


def shuffled(items: list[Any]) -> list[Any]:
    return random.Random(5).sample(items, len(items))


@pytest.fixture(
    params=[(), (Rule("pages", DOUBLE_FLIP), Rule("runs", FLIP))], ids=["no faults", "faults"]
)
def rules(request: pytest.FixtureRequest) -> tuple[Rule, ...]:
    """Return what the channel does; simulated faults are the same for whoever does the work."""
    found: tuple[Rule, ...] = request.param
    return found


@pytest.mark.parametrize("order", [reversed, shuffled])
def test_order_of_tasks_does_not_show(
    tmp_path: Path,
    archives: list[Path],
    rules: tuple[Rule, ...],
    order: Callable[[list[Any]], Iterable[Any]],
) -> None:
    """Parts and shards can be done in any order."""
    expected = Job.make(tmp_path, archives, rules, output="expected")
    expected.run_here()
    other = Job.make(tmp_path, archives, rules, output="other")
    other.run_here(order)
    assert all_bytes(expected.output) == all_bytes(other.output)


def test_number_of_workers_does_not_show(
    tmp_path: Path,
    archives: list[Path],
    rules: tuple[Rule, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One, two or three processes write what this process alone writes."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    expected = Job.make(tmp_path, archives, rules, output="expected")
    expected.run_here()
    for workers in (1, 2, 3):
        other = Job.make(tmp_path, archives, rules, output=f"workers-{workers}")
        other.run(workers)
        assert all_bytes(expected.output) == all_bytes(other.output)


def test_size_of_parts_and_shards_does_not_show_in_results(
    tmp_path: Path, archives: list[Path]
) -> None:
    """However the work is cut, a search finds the same pages with the same scores."""
    found = []
    sizes = [(1 << 20, 1), (4096, 2), (700, 5)]
    for part_bytes, shards in sizes:
        output = f"index-{shards}"
        job = Job.make(tmp_path, archives, output=output, part_bytes=part_bytes, shards=shards)
        job.run_here()
        index = Index.open(job.output)
        results = [index.search(query, 1000) for query in QUERIES]
        found.append(
            [
                (result.total, sorted((-hit.score, hit.url, hit.snippet) for hit in result.hits))
                for result in results
            ]
        )
    assert found[0] == found[1] == found[2]
    assert [total > 0 for total, _ in found[0]] == [True] * (len(QUERIES) - 1) + [False]
