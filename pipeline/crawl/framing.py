"""Finds where records begin and end in stored bytes, and where the next one is after damage.

`read_at` trusts its offset: reading came there in order. `find` trusts nothing: what looks like the
start of a record counts only if it really decodes, to the end, with its checksum (gzip) or with its
end followed by another record, by the end of the data, or confirmed by its own digest (plain).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from .gzip_format import MAGIC
from .gzip_member import inflate_member, inflate_prefix
from .values import MAX_HEADER_BYTES, Damage, Digest, Reason, WarcRecord
from .warc_header import (
    BLANK_LINE,
    VERSION_PREFIX,
    VERSIONS,
    WarcHeader,
    parse_warc_header,
)
from .warc_record import build_record

if TYPE_CHECKING:
    from .window import StoredWindow, Window

_RECORD_END = BLANK_LINE
_NEXT_RECORD = b"WARC/"
_PREFIX_INPUT_BYTES = 1 << 10


class Framing(Protocol):
    """How records lie in one kind of container."""

    @property
    def broken_inside(self) -> Reason:
        """The reason for what seems cut short where more records follow."""
        ...

    @property
    def stream_damage(self) -> Reason | None:
        """Damage that has no bytes of its own, known at the end of the data."""
        ...

    def at_end(self, offset: int) -> bool:
        """Return whether the data end at or before `offset`."""
        ...

    def read_at(self, offset: int) -> WarcRecord | Damage:
        """Return the record that begins at `offset`, or why there is none."""
        ...

    def starts_at(self, offset: int) -> bool:
        """Return whether a record that can stand for itself begins at `offset`."""
        ...

    def find(self, offset: int) -> int:
        """Return where the first such record at or after `offset` begins, or the end of data."""
        ...


class GzipMembers:
    """One gzip member for each record."""

    broken_inside = Reason.BAD_GZIP_MEMBER
    stream_damage: Reason | None = None

    def __init__(
        self, window: StoredWindow, scan: StoredWindow, *, max_record_bytes: int, check: bool
    ) -> None:
        """Read records through `window` and search for them through `scan`, a second one."""
        self._window = window
        self._scan = scan
        self._limit_bytes = max_record_bytes + MAX_HEADER_BYTES
        self._max_record_bytes = max_record_bytes
        self._check = check

    def at_end(self, offset: int) -> bool:
        """Return whether the stored bytes end at or before `offset`."""
        return offset >= self._window.size

    def read_at(self, offset: int) -> WarcRecord | Damage:
        """Return the record in the member at `offset`, or why there is none."""
        member = inflate_member(self._window, offset, self._limit_bytes)
        if isinstance(member, Damage):
            return member
        header = parse_warc_header(member.content)
        if not isinstance(header, WarcHeader):
            reason = Reason.BAD_HEADER if header is Reason.JUNK else header
        elif header.content_length > self._max_record_bytes:
            reason = Reason.TOO_LARGE
        elif not _is_whole(member.content, header.block_end):
            reason = Reason.BAD_CONTENT_LENGTH
        else:
            extent = offset, member.end - offset
            return build_record(header, member.content, extent, check=self._check)
        return Damage(reason, member.end, certain=True)

    def starts_at(self, offset: int) -> bool:
        """Return whether an intact member with an intact record begins at `offset`."""
        prefix = inflate_prefix(self._window.peek(offset, _PREFIX_INPUT_BYTES), len(VERSIONS[0]))
        return prefix in VERSIONS and isinstance(self.read_at(offset), WarcRecord)

    def find(self, offset: int) -> int:
        """Return where the first intact record at or after `offset` begins, or the end."""
        return _find(self, self._scan, MAGIC, offset)


class PlainRecords:
    """Records end to end, in stored bytes or in an inflated stream."""

    broken_inside = Reason.BAD_CONTENT_LENGTH

    def __init__(self, window: Window, *, max_record_bytes: int, check: bool) -> None:
        self._window = window
        self._max_record_bytes = max_record_bytes
        self._check = check
        self._cut = False

    @property
    def stream_damage(self) -> Reason | None:
        """Damage of the inflated stream, or the missing end of the last record."""
        return self._window.damage or (Reason.TRUNCATED if self._cut else None)

    def at_end(self, offset: int) -> bool:
        """Return whether the data end at or before `offset`."""
        data, index = self._window.at(offset, 1)
        return index >= len(data)

    def read_at(self, offset: int) -> WarcRecord | Damage:
        """Return the record at `offset`, or why there is none."""
        found = self._locate(offset)
        if isinstance(found, Damage):
            return found
        header, after = found
        if not after.startswith(_RECORD_END):
            self._cut = True
        length = header.block_end + min(len(after), len(_RECORD_END))
        data, index = self._window.at(offset, length)
        record = bytes(data[index : index + length])
        return build_record(header, record, (offset, length), check=self._check)

    def starts_at(self, offset: int) -> bool:
        """Return whether a record begins at `offset` that its end or its digest confirms."""
        found = self._locate(offset)
        if isinstance(found, Damage):
            return False
        follower = found[1][len(_RECORD_END) :]
        if follower in (b"", _NEXT_RECORD):
            return True
        record = self.read_at(offset)
        return isinstance(record, WarcRecord) and record.digest is Digest.GOOD

    def find(self, offset: int) -> int:
        """Return where the first confirmed record at or after `offset` begins, or the end."""
        return _find(self, self._window, VERSION_PREFIX, offset)

    def _locate(self, offset: int) -> tuple[WarcHeader, bytes] | Damage:
        """Return the header, and the bytes after the block up to the next record's first ones."""
        data, index = self._window.at(offset, MAX_HEADER_BYTES)
        header = parse_warc_header(data, index)
        if not isinstance(header, WarcHeader):
            return Damage(header)
        if header.content_length > self._max_record_bytes:
            return self._too_large(offset, header)
        end = offset + header.block_end
        after = bytes(self._window.peek(end, len(_RECORD_END) + len(_NEXT_RECORD)))
        if after.startswith(_RECORD_END):
            return header, after
        if not _RECORD_END.startswith(after):
            return Damage(Reason.BAD_CONTENT_LENGTH)
        if not after and not self._window.reaches(end):
            return Damage(Reason.TRUNCATED)
        return header, after

    def _too_large(self, offset: int, header: WarcHeader) -> Damage:
        if not self._window.random_access:
            return Damage(Reason.TOO_LARGE)
        end = offset + header.block_end
        after = bytes(self._window.peek(end, len(_RECORD_END) + len(_NEXT_RECORD)))
        if after in (_RECORD_END, _RECORD_END + _NEXT_RECORD):
            return Damage(Reason.TOO_LARGE, end + len(_RECORD_END), certain=True)
        return Damage(Reason.BAD_CONTENT_LENGTH if after else Reason.TRUNCATED)


def _is_whole(content: bytes, block_end: int) -> bool:
    """Return whether nothing but line ends follows a block; some writers leave those out."""
    return block_end <= len(content) and not content[block_end:].strip(BLANK_LINE)


def _find(framing: Framing, window: Window, pattern: bytes, offset: int) -> int:
    while True:
        data, index = window.at(offset, len(pattern))
        available = len(data) - index
        if available < len(pattern):
            return offset + max(available, 0)
        found = data.find(pattern, index)
        if found < 0:
            offset += available - len(pattern) + 1
            continue
        offset += found - index
        if framing.starts_at(offset):
            return offset
        offset += 1
