"""Archives whose records lie end to end, in stored bytes or in an inflated stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .codec import DISCARD_FACTOR
from .effort import Effort
from .framing import FAR, Holder, find_start
from .gzip_format import MAGIC
from .header import (
    BLANK_LINE,
    VERSION_PREFIX,
    VERSIONS,
    WarcHeader,
    legible_header,
    parse_http,
    parse_warc_header,
)
from .record import build_record
from .values import MAX_HEADER_BYTES, Damage, Digest, Reason, WarcRecord

if TYPE_CHECKING:
    from .window import Bytes, Window

_RECORD_END: Final = BLANK_LINE
_NEXT_RECORD: Final = b"WARC/"
_AFTER_BYTES: Final = len(_RECORD_END) + len(_NEXT_RECORD)
_HOLDER_HEAD_BYTES: Final = 1 << 13  # real headers of a record and its HTTP response are shorter
_ARCHIVES: Final = (VERSION_PREFIX, MAGIC)
_MOVED_BYTES: Final = 1 << 6  # how far a cut or an insertion moves an end, mostly
_STREAM_LOOKAHEAD_BYTES: Final = 16 << 20  # what a stream lets pass cannot be had again


class PlainRecords:
    """Records end to end."""

    broken_inside = Reason.BAD_CONTENT_LENGTH

    def __init__(self, window: Window, *, max_record_bytes: int, check: bool) -> None:
        self._window = window
        self._max_record_bytes = max_record_bytes
        self._check = check
        self._cut = False
        self.effort = Effort(DISCARD_FACTOR * (max_record_bytes + MAX_HEADER_BYTES))

    @property
    def stream_damage(self) -> Reason | None:
        """Damage of the inflated stream, or the missing end of the last record."""
        return self._window.damage or (Reason.TRUNCATED if self._cut else None)

    def at_end(self, offset: int) -> bool:
        """Return whether the data end at or before `offset`."""
        data, index = self._window.at(offset, 1)
        return index >= len(data)

    def skip(self, offset: int) -> int:
        """Return `offset`: nothing lies between records."""
        return offset

    def read_at(self, offset: int) -> WarcRecord | Damage:
        """Return the record at `offset`, or why there is none."""
        data, index = self._window.at(offset, MAX_HEADER_BYTES)
        found = self._judge(data, index, offset)
        if isinstance(found, Damage):
            if _is_cut_header(data, index):
                return Damage(Reason.TRUNCATED)
            return self._with_guess(found, offset)
        header, after = found
        if not after.startswith(_RECORD_END):
            self._cut = True
        length = header.block_end + min(len(after), len(_RECORD_END))
        data, index = self._window.at(offset, length)
        record = bytes(data[index : index + length])
        return build_record(header, record, (offset, length), check=self._check)

    def starts_at(self, offset: int) -> bool:
        """Return whether a record begins at `offset` that its end or its digest confirms."""
        data, index = self._window.at(offset, MAX_HEADER_BYTES)
        found = self._judge(data, index, offset)
        if isinstance(found, Damage):
            return False
        header, after = found
        follower = after[len(_RECORD_END) :]
        if follower in (b"", _NEXT_RECORD):
            return True
        if header.block_end > self.effort.left(offset):
            return False
        self.effort.spend(header.block_end)
        record = self.read_at(offset)
        return isinstance(record, WarcRecord) and record.digest is Digest.GOOD

    def find(self, offset: int, stop: int = FAR) -> int:
        """Return where the first such record in [offset, stop) begins, else where that ends."""
        return find_start(self, self._window, VERSION_PREFIX, offset, stop)

    def holder(self, offset: int) -> Holder | None:
        """Return that the damaged record may reach far if its body begins like an archive.

        Its end is then told by `enclosing_end` alone: its length is what is most likely damaged.
        Other records are only suspected of what their own length puts inside them.
        """
        most = self._max_record_bytes
        if not self._window.random_access:
            most = min(most, _STREAM_LOOKAHEAD_BYTES)
        head = bytes(self._window.peek(offset, _HOLDER_HEAD_BYTES))
        self.effort.spend(len(head))
        line_ends = len(head) - len(head.lstrip(_RECORD_END))
        if line_ends and head.startswith(VERSION_PREFIX, line_ends):
            return None  # nothing but line ends too many
        size, length = legible_header(head)
        if not size:
            return Holder(0, FAR, FAR, offset + most, legible=False)
        _, _, body = parse_http(head, size, len(head))
        if not head.startswith(_ARCHIVES, size) and not head.startswith(_ARCHIVES, body):
            return Holder(0, offset + size + (length or 0) - _MOVED_BYTES, FAR, offset + most)
        end = offset + size + (length or 0) + _MOVED_BYTES
        return Holder(FAR, FAR, end, offset + most)

    def may_be_inner(self, offset: int) -> bool:  # noqa: ARG002 - Framing's interface
        """Return True: a blank line lies before a record, inside another one or not."""
        return True

    def chain_end(self, offset: int, stop: int) -> int:
        """Return where the unbroken chain of records that begins at `offset` ends, or `stop`."""
        while offset < stop:
            if not self.effort.left(offset):
                return stop
            found = self._judge(*self._ahead(offset), offset)
            if isinstance(found, Damage):
                return offset
            header, after = found
            if not after.startswith(_RECORD_END):
                return offset
            self.effort.spend(header.size)
            offset += header.block_end + len(_RECORD_END)
        return offset

    def enclosing_end(self, offset: int) -> int | None:
        """Return where an enclosing record ends if its last bytes lie at `offset`.

        Behind a record that is complete with its line ends come line ends once more, and then
        another record or the end of the data.
        """
        after = self._window.peek(offset, _AFTER_BYTES)
        if after in (_RECORD_END, _RECORD_END + _NEXT_RECORD):
            return offset + len(_RECORD_END)
        return None

    def _ahead(self, offset: int) -> tuple[Bytes, int]:
        """Return a view of a header far ahead; a stream must not let go of what comes before."""
        if self._window.random_access:
            return self._window.at(offset, MAX_HEADER_BYTES)
        return self._window.peek(offset, MAX_HEADER_BYTES), 0

    def _judge(self, data: Bytes, index: int, offset: int) -> tuple[WarcHeader, bytes] | Damage:
        """Return the header, and the bytes after the block up to the next record's first ones."""
        header = parse_warc_header(data, index)
        if not isinstance(header, WarcHeader):
            return Damage(header)
        if header.content_length > self._max_record_bytes:
            return self._too_large(offset, header)
        end = offset + header.block_end
        after = bytes(self._window.peek(end, _AFTER_BYTES))
        if after.startswith(_RECORD_END):
            return header, after
        if not _RECORD_END.startswith(after):
            return Damage(Reason.BAD_CONTENT_LENGTH)
        if not after and not self._window.reaches(end):
            return Damage(Reason.TRUNCATED)
        return header, after

    def _with_guess(self, damage: Damage, offset: int) -> Damage:
        """Return `damage` with the end that the header gives, however it is damaged."""
        if damage.end is not None or not self._window.random_access:
            return damage
        head = bytes(self._window.peek(offset, _HOLDER_HEAD_BYTES))
        self.effort.spend(len(head))
        size, length = legible_header(head)
        end = offset + size + (length or 0) + len(_RECORD_END)
        if length is None or not self._window.reaches(end):
            return damage
        return Damage(damage.reason, end)

    def _too_large(self, offset: int, header: WarcHeader) -> Damage:
        if not self._window.random_access:
            return Damage(Reason.TOO_LARGE)
        end = offset + header.block_end
        after = bytes(self._window.peek(end, _AFTER_BYTES))
        if after in (_RECORD_END, _RECORD_END + _NEXT_RECORD):
            return Damage(Reason.TOO_LARGE, end + len(_RECORD_END), certain=True)
        return Damage(Reason.BAD_CONTENT_LENGTH if after else Reason.TRUNCATED)


def _is_cut_header(data: Bytes, index: int) -> bool:
    """Return whether the data end inside a header; they were asked for a whole one."""
    if len(data) - index >= MAX_HEADER_BYTES or data.find(BLANK_LINE, index) >= 0:
        return False
    rest = bytes(data[index : index + len(VERSIONS[0])])
    return any(version.startswith(rest) for version in VERSIONS)
