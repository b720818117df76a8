"""Claims about the comparison of two indexes: it counts what a slow reader of both would count."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sealedbeam.faults.answers import QUERIES, ask, choose_queries, count_changed
from sealedbeam.faults.comparison import DUPLICATES, Difference, compare_indexes
from sealedbeam.faults.losses import Named, name_losses
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.integrity.lineage import Origin
from sealedbeam.pipeline.jobs.quarantine import Quarantined

from tests.support.jobs import SAMPLE, Job

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Rows = list[dict[str, Any]]

NOTHING = Named()


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the sample web's index in two parts and two shards."""
    job = Job.make(tmp_path_factory.mktemp("reference"), [SAMPLE], part_bytes=1 << 16)
    job.run_here()
    return job.output


@pytest.fixture
def other(reference: Path, tmp_path: Path) -> Path:
    """Return a copy of it."""
    return shutil.copytree(reference, tmp_path / "other")


def rewrite(root: Path, folder: str, change: Callable[[Rows], Rows]) -> int:
    """Change the rows of the largest file of a folder, under a name that tells; its number."""
    path = max((root / folder).glob("*.parquet"), key=lambda each: each.stat().st_size)
    table = pq.read_table(path)
    name, _, _ = path.name.partition(".")
    path.unlink()
    changed = pa.Table.from_pylist(change(table.to_pylist()), schema=table.schema)
    pq.write_table(changed, path.with_name(f"{name}.0123456789abcdef.parquet"))
    return int(name.rpartition("-")[2])


def postings_of(root: Path) -> dict[tuple[str, int], tuple[int, tuple[int, ...]]]:
    """Return frequency and positions of each term and document, one by one."""
    found = {}
    for path in (root / "shards").glob("*.parquet"):
        for row in pq.read_table(path).to_pylist():
            start = 0
            for document, tf in zip(row["doc_ids"], row["tfs"], strict=True):
                positions = tuple(row["positions"][start : start + tf])
                found[row["term"], document] = (tf, positions)
                start += tf
    return found


def count_slowly(reference: Path, other: Path) -> tuple[int, int, int]:
    """Return postings missing, extra and altered."""
    left, right = postings_of(reference), postings_of(other)
    altered = sum(left[key] != right[key] for key in left.keys() & right.keys())
    return len(left.keys() - right.keys()), len(right.keys() - left.keys()), altered


def figures(difference: Difference) -> tuple[int, int, int]:
    return (
        difference.postings_missing,
        difference.postings_extra,
        difference.postings_altered,
    )


def test_same_index_has_no_difference(reference: Path, other: Path) -> None:
    """A copy is byte-identical."""
    assert Difference() == compare_indexes(reference, other, NOTHING)


def test_missing_document_is_silent_unless_it_is_named(reference: Path, other: Path) -> None:
    """A row less is a document missing; naming it takes it out of what is silent."""
    gone: list[int] = []

    def drop(rows: Rows) -> Rows:
        gone.append(rows[3]["doc_id"])
        return rows[:3] + rows[4:]

    rewrite(other, "documents", drop)
    silent = compare_indexes(reference, other, NOTHING)
    assert silent == Difference(byte_identical=False, documents_missing=1, silent=1)
    named = compare_indexes(reference, other, Named(documents=np.array(gone)))
    assert named == Difference(byte_identical=False, documents_missing=1)


@pytest.mark.parametrize(
    "change",
    [
        {"title": "another"},
        {"links": ["http://a.example/", "http://b.example/"]},
        {"length": 12345},
    ],
    ids=lambda change: next(iter(change)),
)
def test_any_other_field_is_an_altered_document(
    reference: Path, other: Path, change: dict[str, Any]
) -> None:
    """One row with another value in one column is one altered document, and silent."""
    rewrite(other, "documents", lambda rows: [rows[0] | change, *rows[1:]])
    difference = compare_indexes(reference, other, NOTHING)
    assert difference == Difference(byte_identical=False, documents_altered=1, silent=1)


def test_terms_and_postings_are_counted_as_a_slow_reader_does(reference: Path, other: Path) -> None:
    """Terms gone and new, frequencies and positions changed: the same counts one by one."""

    def change(rows: Rows) -> Rows:
        many = max(range(len(rows)), key=lambda number: rows[number]["df"])
        row = rows[many]
        cut = len(row["positions"]) - row["tfs"][-1]
        rows[many] = row | {
            "df": row["df"] - 1,
            "cf": cut,
            "doc_ids": row["doc_ids"][:-1],
            "tfs": row["tfs"][:-1],
            "positions": [row["positions"][0] + 7, *row["positions"][1:cut]],
        }
        lone = next(number for number in range(len(rows)) if number != many)
        rows[lone] = rows[lone] | {"term": rows[lone]["term"] + "~"}
        return rows

    rewrite(other, "shards", change)
    difference = compare_indexes(reference, other, NOTHING)
    assert count_slowly(reference, other) == figures(difference)
    assert (difference.terms_missing, difference.terms_extra) == (1, 1)
    assert difference.terms_wrong_df == 1
    assert difference.silent == sum(figures(difference))


def test_swapped_positions_are_seen(reference: Path, other: Path) -> None:
    """Positions in another order are other positions, though their sum is the same."""

    def change(rows: Rows) -> Rows:
        number = next(i for i, row in enumerate(rows) if row["tfs"][0] > 1)
        first, second, *rest = rows[number]["positions"]
        rows[number] = rows[number] | {"positions": [second, first, *rest]}
        return rows

    rewrite(other, "shards", change)
    assert figures(compare_indexes(reference, other, NOTHING)) == (0, 0, 1)


def test_terms_of_a_named_row_group_are_named(reference: Path, other: Path) -> None:
    """Whole terms that a shard lacks are silent, but where a row group of it is in quarantine."""
    shard = rewrite(other, "shards", lambda rows: rows[10:])
    silent = compare_indexes(reference, other, NOTHING)
    assert silent.terms_missing == 10
    assert silent.silent == silent.postings_missing >= 10
    named = compare_indexes(reference, other, Named(shards=frozenset((shard,))))
    assert named.silent == 0


def test_row_group_does_not_explain_a_posting_of_a_term_that_is_there(
    reference: Path, other: Path
) -> None:
    """A term that lost one of its documents is silent, whatever row groups are in quarantine."""
    shard = rewrite(other, "shards", cut_one_posting)
    difference = compare_indexes(reference, other, Named(shards=frozenset((shard,))))
    assert (difference.postings_missing, difference.silent) == (1, 1)


def cut_one_posting(rows: Rows) -> Rows:
    """Take the last document from a term of several."""
    number = next(i for i, row in enumerate(rows) if row["df"] > 1)
    row = rows[number]
    places = row["positions"][: -row["tfs"][-1]]
    rows[number] = row | {
        "df": row["df"] - 1,
        "cf": len(places),
        "doc_ids": row["doc_ids"][:-1],
        "tfs": row["tfs"][:-1],
        "positions": places,
    }
    return rows


@pytest.mark.parametrize(("part", "silent"), [(0, 0), (1, 1)])
def test_run_names_postings_of_its_own_part_and_shard(
    reference: Path, other: Path, part: int, silent: int
) -> None:
    """A lost run explains what its part lacks in its shard, and no other part's postings."""

    def change(rows: Rows) -> Rows:
        number = next(i for i, row in enumerate(rows) if row["df"] == 1 and row["doc_ids"][0] >> 32)
        return [*rows[:number], *rows[number + 1 :]]

    shard = rewrite(other, "shards", change)
    named = Named(runs=frozenset(((1 - part, shard),)))
    assert compare_indexes(reference, other, named).silent == silent
    elsewhere = Named(runs=frozenset(((1, 1 - shard),)))
    assert compare_indexes(reference, other, elsewhere).silent == 1


@pytest.mark.parametrize("number", ["df", "cf"])
def test_numbers_of_a_term_that_are_not_its_postings_are_silent(
    reference: Path, other: Path, number: str
) -> None:
    """A frequency that is stored wrongly is seen, though all postings are as they were."""
    rewrite(other, "shards", lambda rows: [rows[0] | {number: rows[0][number] + 1}, *rows[1:]])
    difference = compare_indexes(reference, other, NOTHING)
    assert figures(difference) == (0, 0, 0)
    assert (difference.terms_misstated, difference.silent) == (1, 1)


def test_what_is_there_twice_is_extra(reference: Path, other: Path) -> None:
    """A document, a term and a posting that stand twice in an index are too many, and silent."""

    def twice(rows: Rows) -> Rows:
        row = rows[0]
        numbers = {"df": row["df"] + 1, "cf": row["cf"] + row["tfs"][-1]}
        lists = {"doc_ids": [*row["doc_ids"], row["doc_ids"][-1]]} | {
            "tfs": [*row["tfs"], row["tfs"][-1]],
            "positions": row["positions"] + row["positions"][-row["tfs"][-1] :],
        }
        return [row | numbers | lists, *rows[1:], rows[-1]]

    rewrite(other, "documents", lambda rows: [*rows, rows[-1]])
    rewrite(other, "shards", twice)
    difference = compare_indexes(reference, other, NOTHING)
    assert difference.documents_extra == 1
    assert difference.postings_extra >= 2
    assert difference.silent == difference.postings_extra + 1


@pytest.mark.parametrize("folder", ["documents", "shards", None])
def test_bytes_that_differ_in_nothing_that_is_compared_are_silent(
    reference: Path, other: Path, folder: str | None
) -> None:
    """The same rows in another file are no loss that anything names."""
    if folder is None:
        table = pq.read_table(other / DUPLICATES)
        pq.write_table(table.replace_schema_metadata({"a": "b"}), other / DUPLICATES)
    else:
        rewrite(other, folder, lambda rows: rows)
    assert compare_indexes(reference, other, NOTHING) == Difference(byte_identical=False, silent=1)


def write_duplicates(root: Path, pairs: list[tuple[int, int]]) -> None:
    columns = {"doc_id": [one for one, _ in pairs], "duplicate_of": [other for _, other in pairs]}
    table = pa.table({name: pa.array(each, pa.int64()) for name, each in columns.items()})
    pq.write_table(table, root / DUPLICATES)


def test_duplicates_are_compared_and_explained_by_what_is_lost(
    reference: Path, other: Path, tmp_path: Path
) -> None:
    """Of 5, 6 and 9, which repeat 4, 4 and 8, one is gone, one of another original, one is new."""
    before = shutil.copytree(reference, tmp_path / "before")
    write_duplicates(before, [(5, 4), (6, 4), (9, 8)])
    write_duplicates(other, [(6, 5), (7, 1), (9, 8)])
    silent = compare_indexes(before, other, NOTHING)
    assert silent == Difference(
        byte_identical=False,
        duplicates_missing=1,
        duplicates_extra=1,
        duplicates_altered=1,
        silent=3,
    )
    lost_original = Named(documents=np.array([4]))
    assert compare_indexes(before, other, lost_original).silent == 1
    assert compare_indexes(before, other, Named(digests=frozenset((0,)))).silent == 1
    assert compare_indexes(before, other, Named(digests=frozenset((1,)))).silent == 3
    assert compare_indexes(before, other, Named(documents=np.array([8]))).silent == 3


def test_file_that_was_damaged_later_is_an_integrity_error(reference: Path, other: Path) -> None:
    """A file's name is that of its bytes: one name with other bytes is no result of a job."""
    path = next((other / "documents").glob("*.parquet"))
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    with pytest.raises(IntegrityError, match="damaged after it had been written"):
        compare_indexes(reference, other, NOTHING)


def test_missing_files_are_differences(reference: Path, other: Path) -> None:
    """An index without shards lacks all terms; it is no error."""
    shutil.rmtree(other / "shards")
    difference = compare_indexes(reference, other, NOTHING)
    assert difference.postings_missing == len(postings_of(reference))


def test_malformed_shard_is_an_integrity_error(reference: Path, other: Path) -> None:
    """Frequencies that do not add up to the positions cannot be compared."""
    rewrite(other, "shards", lambda rows: [rows[0] | {"positions": []}, *rows[1:]])
    with pytest.raises(IntegrityError, match="malformed"):
        compare_indexes(reference, other, NOTHING)


def quarantined(identity: bytes, source_file: str = "") -> Quarantined:
    return Quarantined(
        "part-00000", "pages", "bad_seal", source_file, 0, 0, identity.hex(), "dublin", 3, 0, b""
    )


def test_quarantine_names_documents_runs_and_row_groups() -> None:
    """Pages by number, runs by part and shard, row groups by shard; what is unreadable names none.

    A range of an archive has no identity, and without seals an identity may have been hit.
    """
    rows = [
        quarantined(Origin(2, 5, 0, 10, 20).encode(), "a.warc"),
        quarantined(b"part-00001/postings/0000/00003"),
        quarantined(b"part-00007/digests/0000/00000"),
        quarantined(b"shard-00004/00000"),
        quarantined(b"", "a.warc"),
        quarantined(b"short", "a.warc"),
        quarantined(b"\xff\x00"),
    ]
    named = name_losses(rows)
    assert named.documents.tolist() == [(2 << 32) + 5]
    assert named.runs == {(1, 3)}
    assert named.shards == {4}
    assert named.digests == {7}


def test_queries_follow_from_the_index_and_have_answers(reference: Path, other: Path) -> None:
    """The queries are the same for equal indexes, each finds something, and scores do not count."""
    queries = choose_queries(reference)
    assert queries == choose_queries(other)
    assert len(queries) == len(set(queries)) == QUERIES
    answers = ask(reference, queries)
    assert answers is not None
    assert all(answer[0] >= 1 for answer in answers)
    assert count_changed(answers, answers) == 0
    (other / "manifest.json").unlink()
    assert ask(other, queries) is None
