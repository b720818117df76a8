"""The jobs in a folder: which there are, whether one is running, and whether it has changed.

A name that a client gives is only ever looked up among those that were found here, so that no text
from outside becomes a path. Links are not followed: what lies outside the folder is not shown.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from sealedbeam.pipeline.errors import IntegrityError

ITSELF = "."
"""The name of a job that lies in the folder itself."""

JOBS_MAX = 500
_DEPTH_MAX = 3  # campaigns/NAME/cells/CELL
_FOLDERS_MAX = 5000
_JOB_FILES = ("ledger/job.json", "crawl.json")
_FOLDERS = ("ledger", "quarantine", "faults")
_WATCHED = ("", *_FOLDERS, "summary.json", "manifest.json")


class Mark(NamedTuple):
    """What changes when a job does: whether a process works on it, and when its folders changed.

    Everything in them appears by being renamed, which changes the folder's own time.
    """

    running: bool
    changes: tuple[tuple[int, int, int], ...]

    @property
    def newest_ns(self) -> int:
        """The time of the last change, in nanoseconds of the system's clock."""
        return max(time for time, _, _ in self.changes)


def find_jobs(root: Path) -> dict[str, Path]:
    """Return the jobs in a folder by name: the folder itself, or those below it.

    Folders whose names begin with a dot or cannot be printed are left out, and so is what lies
    deeper than the cells of a folder of campaigns.
    """
    if _is_job(root):
        return {ITSELF: root}
    found: dict[str, Path] = {}
    waiting = deque([(root, 0)])
    for _ in range(_FOLDERS_MAX):
        if not waiting or len(found) >= JOBS_MAX:
            break
        folder, depth = waiting.popleft()
        for path in _folders_in(folder):
            if _is_job(path):
                found[path.relative_to(root).as_posix()] = path
            elif depth + 1 < _DEPTH_MAX:
                waiting.append((path, depth + 1))
    return dict(sorted(found.items())[:JOBS_MAX])


def _folders_in(folder: Path) -> list[Path]:
    with suppress(OSError), os.scandir(folder) as entries:
        return sorted(
            Path(entry.path)
            for entry in entries
            if entry.is_dir(follow_symlinks=False)
            and not entry.name.startswith(".")
            and entry.name.isprintable()
        )
    return []


def _is_job(folder: Path) -> bool:
    with suppress(OSError):
        is_folder = stat.S_ISDIR((folder / _FOLDERS[0]).lstat().st_mode)
        return is_folder and any(_is_file(folder / name) for name in _JOB_FILES)
    return False


def _is_file(path: Path) -> bool:
    with suppress(OSError):
        return stat.S_ISREG(path.lstat().st_mode)
    return False


def observe(root: Path) -> Mark:
    """Return the mark of a job as it is now."""
    return Mark(is_running(root), tuple(_look(root / name) for name in _WATCHED))


def _look(path: Path) -> tuple[int, int, int]:
    with suppress(OSError):
        found = path.lstat()
        return found.st_mtime_ns, found.st_ino, found.st_size
    return 0, 0, 0


def is_running(root: Path) -> bool:
    """Whether a driver or a worker holds the folder's lock.

    The look takes the lock, shared, for an instant. A job that begins in that very instant tries
    again a moment later, because the log of its operations is not locked.
    """
    try:
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(descriptor)
    return False


def require_no_links(root: Path) -> None:
    """Raise IntegrityError when a job's folder has links, which may lead anywhere."""
    for folder in (root, *(root / name for name in _FOLDERS)):
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_symlink():
                    where = Path(entry.path).relative_to(root)
                    raise IntegrityError(f"{where} is a link: a job's own files are none")


def read_own(root: Path, name: str, bytes_max: int) -> bytes | None:
    """Return a job's file that is no link and not too large, None when it is not there."""
    try:
        descriptor = os.open(root / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > bytes_max:
            return None
        return file.read(bytes_max)
