"""What the archive reader returns: records, damaged regions, and the reader's fixed vocabulary."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sealedbeam.pipeline.records import Page

MAX_HEADER_BYTES = 1 << 16  # a record header or an HTTP header; real ones are under 4 KiB
MAX_CONTENT_LENGTH = 1 << 40  # above it a Content-Length is nonsense, not a large record
MAX_PAGE_BODY_BYTES = 32 << 20  # of a stored body a page keeps so much, and a byte to tell of more
DEFAULT_MAX_RECORD_BYTES = 128 << 20  # reading one takes four times as much; longer ones are media


class Container(StrEnum):
    """How records are laid into the stored bytes."""

    GZIP_MEMBERS = "gzip_members"  # one gzip member for each record
    GZIP_WHOLE = "gzip_whole"  # member boundaries say nothing about records
    ZSTD_FRAMES = "zstd_frames"  # one Zstandard frame for each record
    ZSTD_WHOLE = "zstd_whole"
    LZ4_FRAMES = "lz4_frames"  # one LZ4 frame for each record
    LZ4_WHOLE = "lz4_whole"
    PLAIN = "plain"
    UNKNOWN = "unknown"  # no web archive

    @property
    def is_stream(self) -> bool:
        """Whether records have offsets in the inflated stream only, so that it is one part."""
        return self in _STREAMS

    @property
    def is_readable(self) -> bool:
        """Whether there is a reader for it."""
        return self is not Container.UNKNOWN


_STREAMS = frozenset((Container.GZIP_WHOLE, Container.ZSTD_WHOLE, Container.LZ4_WHOLE))


class Digest(StrEnum):
    """What a record's declared digests say about its bytes; absent is neither good nor bad."""

    GOOD = "good"
    ABSENT = "absent"
    BAD = "bad"


class Reason(StrEnum):
    """Why stored bytes were set aside."""

    JUNK = "junk"  # no record and no gzip member begins here
    BAD_GZIP_MEMBER = "bad_gzip_member"  # deflate data, CRC or size do not hold
    BAD_FRAME = "bad_frame"  # a Zstandard or LZ4 frame does not decode or fails its checksum
    TRUNCATED = "truncated"  # the file ends inside it
    BAD_HEADER = "bad_header"  # no WARC header, an endless one, or one without a type
    BAD_CONTENT_LENGTH = "bad_content_length"  # missing, malformed, or not where the record ends
    TOO_LARGE = "too_large"  # over the limit for one record
    TOO_COSTLY = "too_costly"  # to find out more takes more work than is allowed
    EXTENT_CHANGED = "extent_changed"  # a record is there, but not with the length asked for


@dataclass(frozen=True, slots=True)
class WarcRecord:
    """One intact record.

    `offset` and `length` are the stored extent, of the compressed member where there is one, so
    that the extents of consecutive records tile the file (but for frames that hold no record, such
    as a Zstandard dictionary). Only in an archive that is one stream, whose stored bytes have no
    such extents, they count in the inflated stream. `page` is set for response, resource and
    revisit records with an http or https URI; others are only counted.
    """

    offset: int
    length: int
    warc_type: str
    record_id: str
    page: Page | None
    digest: Digest


@dataclass(frozen=True, slots=True)
class Region:
    """Damaged bytes, named instead of raised.

    `offset` and `length` count as in `WarcRecord`. A length of 0 marks damage that took no bytes
    of its own: a checksum over a whole stream, or a missing end of the last record.
    """

    offset: int
    length: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Damage:
    """Why no record could be read at an offset, and where reading may go on.

    `end` is where the damaged bytes end as far as their own structure tells. It is believed
    outright when `certain` (a checksum or the next record vouches for it), otherwise only if a
    valid record begins there.
    """

    reason: Reason
    end: int | None = None
    certain: bool = False


@dataclass(frozen=True, slots=True)
class Extent:
    """What a part read: `first` is its first record's offset, `end` where the next part begins.

    `end` is the offset of the first record that the part does not own, or the end of the data; a
    part that searched and found nothing to begin with says only that its own end lies behind it.
    """

    first: int | None
    end: int

    @property
    def begins(self) -> int:
        """Where the part's reading begins to count: `end` when no record starts in the part.

        Parts chain if each begins where the one before it ends. A part that does not is read
        again from there with `exact_start`: its own search found records that lie inside another.
        """
        return self.end if self.first is None else self.first
