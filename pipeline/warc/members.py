"""Archives with one compressed member or frame for each record: gzip, Zstandard, LZ4."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .codec import DISCARD_FACTOR, SHORT_HEAD_BYTES, salvage_prefix
from .effort import Effort
from .framing import FAR, Holder, find_start
from .header import (
    BLANK_LINE,
    VERSION_PREFIX,
    VERSIONS,
    WarcHeader,
    parse_http,
    parse_warc_header,
)
from .record import build_record
from .values import MAX_HEADER_BYTES, Damage, Reason, WarcRecord

if TYPE_CHECKING:
    from .codec import Codec, Member
    from .window import StoredWindow

_HOLDER_HEAD_BYTES: Final = 1 << 13  # real headers of a record and its HTTP response are shorter
_FRAME_HEAD_BYTES: Final = 1 << 7  # within which the content of a stored member begins
_TENTATIVE_BYTES: Final = 4 << 20  # looked into where nothing of a damaged member can be read
_CLOSING_BYTES: Final = len(BLANK_LINE) + 12  # blank line, end mark and checksums of any codec
_STORED_LEAST: Final = 7 / 8  # of a compressed body, what another compressor makes of it at least
_STORED_MORE_BYTES: Final = 1 << 10
_STORED_MORE_PART: Final = 1 << 10  # and one byte in so many: what stored blocks add


class Members:
    """One member for each record."""

    stream_damage: Reason | None = None

    def __init__(
        self,
        window: StoredWindow,
        scan: StoredWindow,
        codec: Codec,
        *,
        max_record_bytes: int,
        check: bool,
    ) -> None:
        """Read records through `window` and search for them through `scan`, a second one."""
        self._window = window
        self._scan = scan
        self._codec = codec
        self._limit_bytes = max_record_bytes + MAX_HEADER_BYTES
        self._max_record_bytes = max_record_bytes
        self._check = check
        self.broken_inside = codec.broken
        self.effort = Effort(DISCARD_FACTOR * self._limit_bytes)

    def at_end(self, offset: int) -> bool:
        """Return whether the stored bytes end at or before `offset`."""
        return offset >= self._window.size

    def skip(self, offset: int) -> int:
        """Return the first offset from `offset` on where no frame lies that holds no data."""
        return self._codec.skip(self._window, offset)

    def read_at(self, offset: int) -> WarcRecord | Damage:
        """Return the record in the member at `offset`, or why there is none."""
        member = self._inflate(offset)
        if isinstance(member, Damage):
            return self._with_guess(member, offset)
        header = self._judge(member)
        if isinstance(header, Reason):
            self.effort.spend(len(member.content))
            return Damage(header, member.end, certain=True)
        return build_record(
            header, member.content, (offset, member.end - offset), check=self._check
        )

    def starts_at(self, offset: int) -> bool:
        """Return whether an intact member with an intact record begins at `offset`."""
        head = self._window.peek(offset, SHORT_HEAD_BYTES)
        return self._codec.may_begin(head, VERSIONS) and self._end_of(offset) is not None

    def find(self, offset: int, stop: int = FAR) -> int:
        """Return where the first intact record in [offset, stop) begins, else where that ends."""
        return find_start(self, self._scan, self._codec.magic, offset, stop)

    def holder(self, offset: int) -> Holder | None:
        """Return how far the damaged member reaches if it may hold other members.

        They can be found only where it stores them as they are, so that it is about as long as its
        content. It surely is if its body begins like a member, or its header is stored as it is.
        """
        if not self.effort.left(offset):
            return None
        head = self._window.peek(offset, _HOLDER_HEAD_BYTES)
        self.effort.spend(len(head))
        content = salvage_prefix(self._codec, head, 2 * _HOLDER_HEAD_BYTES)
        content = content[max(content.find(VERSION_PREFIX, 0, _FRAME_HEAD_BYTES), 0) :]
        header = parse_warc_header(content)
        if not isinstance(header, WarcHeader) or header.content_length > self._max_record_bytes:
            return Holder(0, FAR, FAR, offset + _TENTATIVE_BYTES)
        most = offset + header.block_end + header.block_end // _STORED_MORE_PART
        most += _STORED_MORE_BYTES
        _, _, body = parse_http(content, header.size, len(content))
        sure = 0
        if content.startswith(self._codec.magic, body) or head.find(content[: header.size]) >= 0:
            sure = offset + int((header.block_end - body) * _STORED_LEAST)
        return Holder(sure, most, most, most)

    def may_be_inner(self, offset: int) -> bool:
        """Return whether a blank line or the lengths of a stored block lie before `offset`.

        Both are rare where another member ends, with its checksum and its size.
        """
        before = self._window.peek(max(0, offset - len(BLANK_LINE)), len(BLANK_LINE))
        low, high = before[:2], bytes(byte ^ 0xFF for byte in before[2:])
        return before == BLANK_LINE or low == high

    def chain_end(self, offset: int, stop: int) -> int:
        """Return where the unbroken chain of members that begins at `offset` ends, or `stop`."""
        while offset < stop and not self.at_end(offset):
            if not self.effort.left(offset):
                return stop
            end = self._end_of(offset)
            if end is None:
                return offset
            offset = self._codec.skip(self._window, end)
        return offset

    def enclosing_end(self, offset: int) -> int | None:
        """Return where an enclosing member ends if its last bytes lie at `offset`.

        It stores the line ends of the record that it holds, and then comes what closes it.
        """
        after = self._window.peek(offset, _CLOSING_BYTES + len(self._codec.magic))
        if not after.startswith(BLANK_LINE):
            return None
        if self.at_end(offset + _CLOSING_BYTES):
            return self._window.size
        neighbour = after.find(self._codec.magic, len(BLANK_LINE))
        return offset + neighbour if neighbour >= 0 else None

    def _with_guess(self, damage: Damage, offset: int) -> Damage:
        """Return `damage` with the end that the member's frame gives, if it gives one."""
        if damage.end is not None:
            return damage
        end = self._codec.guess_end(self._window, offset)
        return damage if end is None or end > self._window.size else Damage(damage.reason, end)

    def _inflate(self, offset: int) -> Member | Damage:
        return self._codec.inflate(self._window, offset, self._limit_bytes, self.effort)

    def _end_of(self, offset: int) -> int | None:
        """Return where the intact member with an intact record at `offset` ends."""
        member = self._inflate(offset)
        if isinstance(member, Damage):
            return None
        self.effort.spend(len(member.content))
        return None if isinstance(self._judge(member), Reason) else member.end

    def _judge(self, member: Member) -> WarcHeader | Reason:
        """Return the header of the record that a member holds, or what is wrong with it."""
        header = parse_warc_header(member.content)
        if isinstance(header, Reason):
            return Reason.BAD_HEADER if header is Reason.JUNK else header
        if header.content_length > self._max_record_bytes:
            return Reason.TOO_LARGE
        if not _is_whole(member.content, header.block_end):
            return Reason.BAD_CONTENT_LENGTH
        return header


def _is_whole(content: bytes, block_end: int) -> bool:
    """Return whether nothing but line ends follows a block; some writers leave those out."""
    return block_end <= len(content) and not content[block_end:].strip(BLANK_LINE)
