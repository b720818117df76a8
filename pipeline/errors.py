"""The errors that end a job, each with its exit code; damage to a record is never one of them."""

from __future__ import annotations

from typing import TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview


class SealedBeamError(Exception):
    """Base of all errors whose message is meant for the user: one line, no traceback."""

    exit_code = 1


class UsageError(SealedBeamError):
    """The command or its configuration cannot work; nothing was done."""

    exit_code = 2


class IntegrityError(SealedBeamError):
    """The ledger does not balance, too much was dropped, or stored bytes are damaged."""

    exit_code = 3
