"""Claims about journal and checkers: rows survive their file, and what is missing is red."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.faults.checkers import (
    FIGURES,
    check_conservation,
    check_escapes,
    count_faults,
    count_outcomes,
)
from sealedbeam.faults.journal import (
    NO_FAULT,
    Fault,
    FaultOutcome,
    decode_journal,
    describe_record,
    encode_journal,
)
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.integrity.lineage import Origin

FAULT = Fault(
    "00000000000000ab",
    "single_bit",
    "pages",
    "0102",
    "258",
    (5, 9),
    "dublin",
    "machine-00001",
    42,
    1,
    outcome=FaultOutcome.CORRECTED,
)

texts = st.text("abc-0123456789", min_size=1, max_size=8)
faults = st.builds(
    Fault,
    texts,
    st.sampled_from(["single_bit", "double_bit"]),
    texts,
    texts,
    texts,
    st.lists(st.integers(0, 2**40), max_size=3).map(tuple),
    texts,
    texts,
    st.integers(0, 10**6),
    st.integers(1, 9),
    st.sampled_from(["", "dublin/rack/0"]),
    st.sampled_from(["", "missed"]),
    st.none() | st.sampled_from(list(FaultOutcome)),
)


@given(st.lists(faults, max_size=20))
def test_rows_survive_their_file(rows: list[Fault]) -> None:
    """A journal gives back its rows, ordered by hop, record, attempt and bits."""
    found = decode_journal(encode_journal(rows))
    expected = sorted(rows, key=lambda row: (row.hop, row.identity, row.attempt, row.bits))
    assert expected == found


@given(st.lists(faults, max_size=20))
def test_law_is_red_exactly_when_an_outcome_is_missing(rows: list[Fault]) -> None:
    """With an outcome in each row the figures add up; without one in any they do not."""
    findings = check_conservation(count_outcomes([encode_journal(rows)]))
    assert any(row.outcome is None for row in rows) == bool(findings)


def test_figures_add_up_over_journals_and_cells() -> None:
    """Two journals count like one; by cluster and kind the figures add up to the same."""
    rows = [replace(FAULT, outcome=outcome) for outcome in FaultOutcome] * 2
    elsewhere = [replace(row, cluster="oregon", kind="double_bit") for row in rows[:3]]
    figures = count_outcomes([encode_journal(rows), encode_journal(elsewhere)])
    assert figures == {
        "injected": 13,
        "corrected": 3,
        "retried": 3,
        "dropped": 2,
        "masked": 3,
        "escaped": 2,
    }
    cells = count_faults([*rows, *elsewhere])
    assert list(cells) == [("dublin", "single_bit"), ("oregon", "double_bit")]
    assert figures == {name: sum(cell[name] for cell in cells.values()) for name in FIGURES}


def test_no_journal_counts_zeros() -> None:
    """A campaign that injected nothing has all figures, and they are zero."""
    assert count_outcomes([]) == count_outcomes([encode_journal([])]) == dict.fromkeys(FIGURES, 0)
    assert check_conservation(count_outcomes([])) == []


def test_alteration_without_a_fault_is_red() -> None:
    """A row of kind "none" is not injected, and so breaks the law."""
    row = replace(FAULT, kind=NO_FAULT, outcome=FaultOutcome.ESCAPED)
    figures = count_outcomes([encode_journal([FAULT, row])])
    assert (figures["injected"], figures["escaped"]) == (1, 1)
    assert len(check_conservation(figures)) == 1


def test_escape_is_told() -> None:
    """The law holds with escapes; their own check is red."""
    figures = count_outcomes([encode_journal([replace(FAULT, outcome=FaultOutcome.ESCAPED)])])
    assert check_conservation(figures) == []
    assert len(check_escapes(figures)) == 1
    assert check_escapes(count_outcomes([])) == []


@pytest.mark.parametrize("data", [b"", b"PAR1", encode_journal([FAULT])[:-20]])
def test_damaged_journal_is_an_integrity_error(data: bytes) -> None:
    """What is no journal any more is told as such."""
    with pytest.raises(IntegrityError, match="journal cannot be read"):
        decode_journal(data)


def test_records_are_named_to_be_read() -> None:
    """A page is its document number, a run its name, anything else its bytes."""
    assert describe_record(Origin(1, 2, 0, 3, 4).encode()) == str((1 << 32) + 2)
    assert describe_record(b"shard-00000/00001") == "shard-00000/00001"
    assert describe_record(b"\xff\x00") == "ff00"
