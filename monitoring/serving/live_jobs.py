"""The jobs of a folder as they are now, read again when they change and never while a client waits.

A job is read in one thread beside those that answer. Who asks gets the newest reading if it is
there within a moment, else the one before: so a scrape costs the same however long a reading takes,
and readings take a bounded share of one core.
"""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from sealedbeam.monitoring.timeline import build_timeline, fitting_window_seconds
from sealedbeam.pipeline.errors import IntegrityError, SealedBeamError
from sealedbeam.pipeline.integrity.ledger import WINDOW_SECONDS, Cell, Outcome
from sealedbeam.pipeline.text import one_line

from .exposition import DAMAGED
from .jobs_folder import find_jobs, observe, require_no_links
from .quarantine_rows import QuarantineRows
from .replay import view_until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sealedbeam.monitoring.detection.burst_detector import Alarm
    from sealedbeam.monitoring.timeline import Timeline
    from sealedbeam.monitoring.view import View

    from .jobs_folder import Mark

    MakeReader = Callable[[Path], "Reader"]
    FindAlarms = Callable[[View], Sequence[Alarm]]

_WITH_MANIFEST = ("complete", "incomplete")
FINISHED = (*_WITH_MANIFEST, "failed")
_FOUND_SECONDS = 1.0  # for how long a list of jobs is good
_MOMENT_SECONDS = 0.01  # that who has an older reading waits for a newer one
_ERROR_SECONDS = 2.0  # after which a damaged job is looked at again
_REST = 9  # times as long as a reading took nothing is read: a tenth of a core at most
_SHORT_SECONDS = 0.005  # readings that take no longer are not limited
_TICK_NS = 50_000_000  # changes that lie closer together may bear the same time


class Reader(Protocol):
    """Reads one job's folder again and again, from one thread at a time."""

    def read(self) -> View:
        """Return the view as it is now; raises SealedBeamError when it cannot be read."""


class UnknownJobError(Exception):
    """There is no job of that name."""


class NotReadYetError(Exception):
    """The job is being read for the first time, which takes longer than a client should wait."""


class Derived:
    """What is computed from a view when somebody asks for it, and kept as long as the view is."""

    def __init__(self, root: Path, view: View, find_alarms: FindAlarms) -> None:
        """Compute from the view of the job in `root`."""
        self._root, self._view, self._find_alarms = root, view, find_alarms
        self._replayed: tuple[int, View] | None = None

    @property
    def duration_seconds(self) -> int:
        """The simulated time that the job spans, 0 without a scenario."""
        return self._view.campaign.duration_seconds if self._view.campaign else 0

    @cached_property
    def timeline(self) -> Timeline:
        """What happened when and where, in at most a day's worth of windows."""
        return build_timeline(self._view, fitting_window_seconds(self.duration_seconds))

    @cached_property
    def alarms(self) -> tuple[Alarm, ...]:
        """What the detector finds."""
        return tuple(self._find_alarms(self._view))

    @cached_property
    def quarantine(self) -> QuarantineRows:
        """What was set aside."""
        return QuarantineRows(self._root)

    def view_at(self, now_seconds: float) -> View:
        """Return the view as it was in a replay; the same one until the next window is over."""
        campaign = self._view.campaign
        grain = (campaign and campaign.counter_bin_seconds) or WINDOW_SECONDS
        step, kept = int(now_seconds // grain), self._replayed
        if kept is None or kept[0] != step:
            self._replayed = kept = step, view_until(self._view, step * grain)
        return kept[1]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A job as it was read; `view` is None and `error` says why when it could not be."""

    name: str
    root: Path
    mark: Mark
    read_at_ns: int
    view: View | None
    derived: Derived | None
    error: str

    @property
    def status(self) -> str:
        """How the job is, in one word."""
        return self.view.status if self.view is not None else DAMAGED

    def is_current(self, mark: Mark, now_ns: int) -> bool:
        """Whether nothing has changed since; a change just before the reading may not be in it."""
        if mark != self.mark or mark.newest_ns + _TICK_NS > self.read_at_ns:
            return False
        return not self.error or now_ns - self.read_at_ns < _ERROR_SECONDS * 1e9


class _Job:
    """What is known of a job, its reader, and the reading that is under way."""

    def __init__(self, name: str, root: Path) -> None:
        self.name, self.root = name, root
        self.reader: Reader | None = None
        self.snapshot: Snapshot | None = None
        self.reading: Future[None] | None = None
        self.took_seconds = 0.0
        self.read_seconds = 0.0

    def may_read(self, now_seconds: float) -> bool:
        """Whether the last reading is long enough ago for what it cost."""
        if self.snapshot is None or self.took_seconds <= _SHORT_SECONDS:
            return True
        return now_seconds - self.read_seconds >= _REST * self.took_seconds


class LiveJobs:
    """The jobs in a folder; threads may ask at once."""

    def __init__(
        self,
        root: Path,
        make_reader: MakeReader,
        find_alarms: FindAlarms,
        complain: Callable[[str], None],
    ) -> None:
        """Show the jobs in `root`, which need not exist yet.

        Args:
            root: the folder.
            make_reader: makes a job's reader of its folder.
            find_alarms: runs the detector.
            complain: told in one line of errors that are this program's own.
        """
        self._root = root.resolve()
        self._make_reader, self._find_alarms, self._complain = make_reader, find_alarms, complain
        self._lock = Lock()
        self._jobs: dict[str, _Job] = {}
        self._found: tuple[float, dict[str, Path]] = (-_FOUND_SECONDS, {})
        self._pool = ThreadPoolExecutor(1, "reader")

    def names(self) -> list[str]:
        """Return the names of the jobs."""
        return list(self._find())

    def get(self, name: str, first_seconds: float) -> Snapshot:
        """Return a job as it is now, or was a moment ago.

        Args:
            name: as in `names`.
            first_seconds: how long to wait for the first reading of all.

        Raises:
            UnknownJobError: there is no such job.
            NotReadYetError: nothing has been read of it yet.
        """
        root = self._find().get(name)
        if root is None:
            raise UnknownJobError
        mark = observe(root)
        with self._lock:
            job = self._jobs.setdefault(name, _Job(name, root))
            before = job.snapshot
            if before is not None and before.is_current(mark, time.time_ns()):
                return before
            if job.reading is None and job.may_read(time.monotonic()):
                job.reading = self._pool.submit(self._read, job)
            reading = job.reading
        if reading is not None:
            _await(reading, first_seconds if before is None else _MOMENT_SECONDS)
        if job.snapshot is None:
            raise NotReadYetError
        return job.snapshot

    def warm(self) -> None:
        """Begin to read all jobs."""
        for name in self.names():
            with suppress(NotReadYetError, UnknownJobError):
                self.get(name, 0)

    def close(self) -> None:
        """Read nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _find(self) -> dict[str, Path]:
        at_seconds, found = self._found
        if time.monotonic() - at_seconds >= _FOUND_SECONDS:
            found = find_jobs(self._root)
            with self._lock:
                self._found = (time.monotonic(), found)
                self._jobs = {name: job for name, job in self._jobs.items() if name in found}
        return found

    def _read(self, job: _Job) -> None:
        """Read a job; runs in the reading thread."""
        began, mark, at_ns = time.monotonic(), observe(job.root), time.time_ns()
        view, error = self._try_reading(job)
        before, derived = job.snapshot, None
        if view is not None:
            is_same = before is not None and before.view is view
            derived = before.derived if is_same and before else None
            derived = derived or Derived(job.root, view, self._find_alarms)
        snapshot = Snapshot(job.name, job.root, mark, at_ns, view, derived, error)
        with self._lock:
            job.snapshot, job.reading = snapshot, None
            job.read_seconds = time.monotonic()
            # The first reading reads all there is; those after it only what has come since.
            job.took_seconds = 0.0 if before is None else job.read_seconds - began

    def _try_reading(self, job: _Job) -> tuple[View | None, str]:
        """Return a job's view, or why there is none."""
        try:
            require_no_links(job.root)
            job.reader = job.reader or self._make_reader(job.root)
            view = job.reader.read()
            require_whole(view)
        except SealedBeamError as problem:
            job.reader = None
            return None, _without_place(str(problem), job.root)
        except Exception as problem:  # noqa: BLE001 - whatever a foreign folder does to a reader
            job.reader = None
            error = f"job {job.name} cannot be read ({type(problem).__name__}); audit tells more"
            self._complain(f"{error}: {problem}")
            return None, error
        return view, ""


def require_whole(view: View) -> None:
    """Raise IntegrityError when the entries of a finished job are not those of its summary."""
    hops = view.summary.get("hops")
    if view.status not in _WITH_MANIFEST or not isinstance(hops, dict):
        return
    for hop, said in hops.items():
        found = view.hops[hop].total() if hop in view.hops else Cell()
        told = {"records": found.records} | {str(o): getattr(found, o) for o in Outcome}
        if told != said:
            raise IntegrityError(
                f"at hop {hop} the ledger's entries do not add up to summary.json: "
                "some are damaged or missing; audit tells which"
            )


def _await(reading: Future[None], seconds: float) -> None:
    try:
        reading.result(seconds)
    except TimeoutError:
        return


def _without_place(message: str, root: Path) -> str:
    """Return an error without the place of the folder on this machine."""
    return one_line(message.replace(f"{root}/", "").replace(str(root), "the job"))
