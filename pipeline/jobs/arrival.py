"""Decides what becomes of each thing that the reader of a part yields: a page, or set aside.

Everything is counted as it arrives, so that the pages read can be held against what became of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sealedbeam.pipeline.integrity.lineage import Origin
from sealedbeam.pipeline.warc.values import Digest

from .quarantine import RAW_BYTES_MAX
from .reading import RawBytes

if TYPE_CHECKING:
    from sealedbeam.pipeline.warc.values import Region, WarcRecord

    from .context import JobContext
    from .entry import Entry
    from .plan import Part
    from .poison import Skip
    from .quarantine import Quarantine
    from .reading import Unread

DIGEST_BAD = "digest_bad"
UNKNOWN_TYPE = "unknown_record_type"
# WARC 1.1, section 6
RECORD_TYPES = frozenset(("warcinfo", "response", "resource", "request", "metadata", "revisit")) | {
    "conversion",
    "continuation",
}


class Arrival:
    """What arrives in one part, entered in its task's entry and quarantine."""

    def __init__(
        self, context: JobContext, part: Part, entry: Entry, quarantine: Quarantine
    ) -> None:
        """Begin a part; its pages are numbered as they are admitted."""
        self._part = part
        self._entry = entry
        self._quarantine = quarantine
        self._raw = RawBytes(context, part.source)
        self._ordinal = 0

    def admit(self, record: WarcRecord) -> tuple[bytes, bytes] | None:
        """Count a record; return it to be sealed if it is a page whose digest does not fail."""
        entry, page = self._entry, record.page
        entry.count("records", record.warc_type)
        entry.count("inputs", f"digest_{record.digest}")
        if page is not None:
            entry.count("pages", "read")
        if record.warc_type not in RECORD_TYPES:
            # A flipped bit may have made it of a page: only its type says that it is none.
            entry.count("inputs", "damaged_regions")
            self._set_range_aside(record.offset, record.length, UNKNOWN_TYPE)
            return None
        if record.digest is Digest.BAD:
            if page is not None:
                entry.count("pages", "quarantined")
                entry.count("pages", "arrived_damaged")
            self._set_range_aside(record.offset, record.length, DIGEST_BAD)
            return None
        if page is None:
            return None
        part, source = self._part.number, self._part.source
        origin = Origin(part, self._ordinal, source, record.offset, record.length)
        self._ordinal += 1
        return origin.encode(), page.to_payload()

    def set_region_aside(self, region: Region) -> None:
        """Set aside bytes that are damaged."""
        self._count_damage(region.length)
        self._set_range_aside(region.offset, region.length, region.reason)

    def set_unread_aside(self, unread: Unread) -> None:
        """Set aside what must not be read: like damage, it may have held any number of pages."""
        self._count_damage(unread.length)
        self.set_poison_aside(unread.length, unread.skip)

    def set_poison_aside(self, length: int, skip: Skip) -> None:
        """Set aside what cannot be worked on, with its stored bytes."""
        self._entry.count("poison", skip.reason)
        raw = self._raw.at(skip.offset, min(length, RAW_BYTES_MAX))
        self._quarantine.add_poison(self._part.source, length, skip, raw)

    def _count_damage(self, length: int) -> None:
        self._entry.count("inputs", "damaged_regions")
        self._entry.count("inputs", "damaged_bytes", length)

    def _set_range_aside(self, offset: int, length: int, reason: str) -> None:
        raw = self._raw.at(offset, min(length, RAW_BYTES_MAX))
        self._quarantine.add_range(self._part.source, offset, length, reason, raw)
