"""What could not be delivered: one value for every step of a pipeline, with its bytes and cause.

Rule: a `Damaged` counts for as many rows as it says, with the sum of the digests under which they
were sealed. That is what balances the books: rows in = rows out + rows set aside. Where neither is
known (no head of the block can be proven) `rows` is 0, and the books do not balance.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from .block import LossReason

if TYPE_CHECKING:
    from collections.abc import Mapping

RAISED = "raised"
CHANGED_IN_USE = "changed_in_use"
FOREIGN_WINDOW = "foreign_window"
UNREADABLE_ROW = "unreadable_row"
_MESSAGE_CHARACTERS_MAX = 1000
_MESSAGES: Mapping[str, str] = {
    LossReason.UNREADABLE_HEAD: "neither head of the block can be proven: no row can be found",
    LossReason.TRUNCATED: "the block ends before the row does",
    LossReason.BAD_SEAL: "the bytes disagree with their seal, and no correction is confirmed",
    LossReason.DUPLICATE: "the same stands before it in the block",
    FOREIGN_WINDOW: "the block is proven, but it arrived in a window that it was not sealed in",
    CHANGED_IN_USE: "the row changed in memory while it was in use",
}


class Damaged(NamedTuple):
    """What was set aside, and why; a row with a schema, so that any sink can take it.

    Attributes:
        reason: a `LossReason`, "raised", "changed_in_use", "foreign_window" or "unreadable_row".
        message: the cause in words.
        error: the name of the exception; empty where none was raised.
        step: the full name of the step that set it aside, as far as it is known.
        raw: the encoded row as it arrived; a whole block where its rows cannot be found.
        rows: how many rows are meant; 0 where that cannot be known.
        digest: the sum of the rows' XXH3-128 as they were sealed, 16 bytes; zeros if not known.
        key: the encoded key of a keyed row.
        number: that of the row in its block.
        block_id: the block's, where its head can be proven.
    """

    reason: str
    message: str
    error: str
    step: str
    raw: bytes
    rows: int
    digest: bytes
    key: bytes
    number: Optional[int]  # noqa: UP045 - Beam's schemas do not take the other spelling
    block_id: bytes

    def to_json(self) -> str:
        """Return one line of JSON; bytes in base64 but the digest and the id, in hexadecimal."""
        fields: dict[str, Any] = self._asdict()
        fields["raw"] = base64.b64encode(self.raw).decode()
        fields["key"] = base64.b64encode(self.key).decode()
        fields["digest"], fields["block_id"] = self.digest.hex(), self.block_id.hex()
        return json.dumps(fields)


def set_aside(
    reason: str,
    raw: bytes,
    *,
    message: str = "",
    error: str = "",
    step: str = "",
    rows: int = 1,
    digest: bytes = bytes(16),
    key: bytes = b"",
    number: int | None = None,
    block_id: bytes = b"",
) -> Damaged:
    """Return what was set aside, with the message that belongs to its reason if none is given."""
    words = (message or _MESSAGES.get(reason, reason))[:_MESSAGE_CHARACTERS_MAX]
    return Damaged(str(reason), words, error, step, raw, rows, digest, key, number, block_id)


def describe_error(error: BaseException) -> tuple[str, str]:
    """Return the name of an exception's class and what it says, in one line."""
    said = " ".join(str(error).split())
    name = type(error).__name__
    return name, f"{name}: {said}" if said else name
