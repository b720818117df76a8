"""What a job itself says is missing from its index, by the rows of its quarantine.

A difference is *named* when the job itself says it:
* a missing document whose record is in the quarantine, and the postings of such a document;
* missing postings of a part's documents in a shard, where a run of this part and shard is there;
* whole terms that are missing from a shard, where a row group of this shard is there;
* a duplicate that is told no more, or of another original, and may stand in for it, where the
  original is there, the duplicate, or the digests of the part of one of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from sealedbeam.pipeline.integrity.lineage import Origin

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray
    from sealedbeam.pipeline.jobs.quarantine import Quarantined

    Numbers = NDArray[np.int64]
    Flags = NDArray[np.bool_]

_RUN = re.compile(r"part-(?P<part>\d+)/(?P<kind>postings|digests)/\d+/(?P<shard>\d+)")
_ROW_GROUP = re.compile(r"shard-(?P<shard>\d+)/\d+")
_ORDINAL_BITS = 32
"""Of a document's number; its part's number is above."""


@dataclass(frozen=True, slots=True)
class Named:
    """What a job says is missing.

    Attributes:
        documents: by number.
        runs: part and shard of runs of postings.
        shards: those that lack row groups.
        digests: parts of which some digests, which find duplicates, are missing.
    """

    documents: Numbers = field(default_factory=lambda: np.empty(0, np.int64))
    runs: frozenset[tuple[int, int]] = frozenset()
    shards: frozenset[int] = frozenset()
    digests: frozenset[int] = frozenset()

    def has_documents(self, doc_ids: Numbers) -> Flags:
        """Tell of each document whether it is named."""
        return np.isin(doc_ids, self.documents)

    def has_postings(self, doc_ids: Numbers, shard: int) -> Flags:
        """Tell of each document whether its postings in a shard may rightly be missing."""
        parts = np.array([part for part, number in self.runs if number == shard], np.int64)
        return self.has_documents(doc_ids) | np.isin(doc_ids >> _ORDINAL_BITS, parts)

    def has_digests(self, doc_ids: Numbers) -> Flags:
        """Tell of each document whether it may rightly be unknown to the search for duplicates."""
        parts = np.array(sorted(self.digests), np.int64)
        return self.has_documents(doc_ids) | np.isin(doc_ids >> _ORDINAL_BITS, parts)


def name_losses(rows: Iterable[Quarantined]) -> Named:
    """Return what rows of a quarantine name; one whose identity cannot be read names nothing."""
    documents: list[int] = []
    runs: set[tuple[int, int]] = set()
    shards: set[int] = set()
    digests: set[int] = set()
    for row in rows:
        identity = bytes.fromhex(row.identity)
        if row.source_file:
            documents += _document_of(identity)
            continue
        text = identity.decode("ascii", "replace")
        if (run := _RUN.fullmatch(text)) is not None:
            part, shard = int(run["part"]), int(run["shard"])
            if run["kind"] == "digests":
                digests.add(part)
            else:
                runs.add((part, shard))
        elif (group := _ROW_GROUP.fullmatch(text)) is not None:
            shards.add(int(group["shard"]))
    numbers = np.unique(np.array(documents, np.int64))
    return Named(numbers, frozenset(runs), frozenset(shards), frozenset(digests))


def _document_of(identity: bytes) -> list[int]:
    try:
        return [Origin.decode(identity).doc_id]
    except ValueError:  # a range of the input, or a record without seals whose identity was hit
        return []
