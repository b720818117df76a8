"""What a scrub leaves behind: how far it is, so that a killed one goes on, and that it was.

`scrub.progress.jsonl` has a first line that says what is being scrubbed, then one for each file
that was found intact. It is believed for a file only as long as size and time of change are the
same, and it is removed when the scrub is over. `scrubs.jsonl` has one line for each scrub that came
to its end; a line that was cut short is dropped when the next one is written.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

HISTORY: Final = "scrubs.jsonl"
PROGRESS: Final = "scrub.progress.jsonl"

_Record: TypeAlias = "dict[str, Any]"
_Stamp: TypeAlias = tuple[int, int]


class Progress:
    """The files that a scrub has found intact, as they are found; `begun` is when it began."""

    def __init__(self, root: Path, subject: str, now_seconds: float) -> None:
        """Go on with the scrub of `subject` that was not ended in `root`, or begin one."""
        self._root = root
        self._path = root / PROGRESS
        head, *lines = _read_lines(self._path) or [{}]
        self.resumes = head.get("subject") == subject and isinstance(head.get("begun"), float)
        self.begun: float = head["begun"] if self.resumes else now_seconds
        self._seen: dict[str, _Stamp] = {}
        if self.resumes:
            self._seen = dict(filter(None, map(_seen, lines)))
        self._file = self._path.open("a" if self.resumes else "w")
        if self.resumes:
            self._file.write("\n")  # the last line may have been cut short
        else:
            self._write({"subject": subject, "begun": self.begun})

    def has(self, path: str) -> bool:
        """Whether a file was found intact before, and has not been changed since."""
        stamp = _stamp(self._root / path)
        return stamp is not None and self._seen.get(path) == stamp

    def note(self, path: str) -> None:
        """Note that a file is intact."""
        if stamp := _stamp(self._root / path):
            self._write({"intact": path, "bytes": stamp[0], "mtime_ns": stamp[1]})

    def close(self) -> None:
        """Keep what was noted for the next run."""
        self._file.close()

    def end(self) -> None:
        """Forget it: the scrub is over."""
        self._file.close()
        self._path.unlink(missing_ok=True)

    def _write(self, record: _Record) -> None:
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()


def _stamp(path: Path) -> _Stamp | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _seen(line: _Record) -> tuple[str, _Stamp] | None:
    path, size, time = line.get("intact"), line.get("bytes"), line.get("mtime_ns")
    if isinstance(path, str) and isinstance(size, int) and isinstance(time, int):
        return path, (size, time)
    return None


def read_history(root: Path) -> list[_Record]:
    """Return what is known of the scrubs of `root`, the oldest first; lines that are none, left."""
    return list(_read_lines(root / HISTORY))


def append_history(root: Path, record: Mapping[str, Any]) -> None:
    """Note a scrub that came to its end, durably."""
    with (root / HISTORY).open("ab+", buffering=0) as file:
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
        file.write(json.dumps(record).encode() + b"\n")
        os.fsync(file.fileno())


def _read_lines(path: Path) -> list[_Record]:
    try:
        data = path.read_bytes()
    except OSError:
        return []
    return list(_objects(data))


def _objects(data: bytes) -> Iterator[_Record]:
    for line in data.split(b"\n")[:-1]:  # what stands behind the last line was cut short
        with suppress(ValueError, RecursionError):
            value = json.loads(line)
            if isinstance(value, dict):
                yield value
