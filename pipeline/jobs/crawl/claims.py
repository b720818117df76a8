"""Claims addresses: of the workers of a machine one asks an address in a round, no other.

Hosts are dealt to tasks by their address where that is known; where it is not, two tasks can come
upon one. Then the first to claim it keeps it until its task ends. A claim is a lock on one byte of
a file, at an offset that the address gives: it ends with the process that holds it, whatever
becomes of that. The locks are those of POSIX, so a process cannot refuse itself.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING, Self

from sealedbeam.pipeline.integrity.checksum import digest128

if TYPE_CHECKING:
    from pathlib import Path

_OFFSET_BITS = 62  # an offset in a file is a signed number of 64


class AddressClaims:
    """The claims of one task; a context manager, at whose end they end."""

    def __init__(self, path: Path) -> None:
        """Claim in the file at `path`, which is the same for all tasks of a crawl."""
        path.parent.mkdir(exist_ok=True)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        self._claimed: dict[str, bool] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        os.close(self._descriptor)

    def claim(self, address: str) -> bool:
        """Return whether this task may ask an address; what it was told once holds until its end.

        Raises:
            OSError: the file system of the folder has no locks.
        """
        if address not in self._claimed:
            self._claimed[address] = self._lock(address)
        return self._claimed[address]

    def _lock(self, address: str) -> bool:
        offset = int.from_bytes(digest128(address.encode())[:8], "big") >> (64 - _OFFSET_BITS)
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, offset)
        except (BlockingIOError, PermissionError):  # POSIX leaves it to the system which
            return False
        return True
