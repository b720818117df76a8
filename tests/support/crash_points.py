"""Names every step by which a process changes storage or tells another one, and strikes there.

What lies on a disk changes only when a file is created, filled, synced, renamed or removed, a
folder made or removed. `watch` wraps the functions of Python by which that happens, in this process
alone and for one folder alone, so that the program under test needs no hooks of its own. A step is
named after what it does to which object ("rename documents/part-00003"): names follow from the job
alone, whoever does the work. Processes of the command line are watched through `hooked/`, a folder
for PYTHONPATH whose sitecustomize module calls `watch_from_environment`.
"""

from __future__ import annotations

import builtins
import errno
import fcntl
import io
import json
import os
import re
import select
import signal
import stat
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

VARIABLE = "SEALEDBEAM_TEST_WATCH"
HOOKED = Path(__file__).parent / "hooked"
BEFORE, HALF, AFTER = "before", "half", "after"

_DEATH_SECONDS = 60
_ATTEMPT = re.compile(r"^\.(.+)\.[0-9a-f]+\.attempt$")
_DIGEST = re.compile(r"\.[0-9a-f]{16}(?=\.)")
_WORKER = "sealedbeam.pipeline.jobs.worker"


@dataclass(frozen=True, slots=True)
class Strike:
    """What happens at one step, once in a job.

    Attributes:
        step: its name.
        when: before it, after it, or (renames alone) when half of the bytes were written.
        action: who is killed ("self", "driver", "group", "children"); "pause" to tell the process's
            number through the pipe `marker`.pid and wait for `marker`.go; or an error that is met
            instead of the step ("ENOSPC").
        marker: a file that is made when it happens, so that it does not happen again.
        role: "driver" or "worker" if it is to happen in no other process.
    """

    step: str
    when: str
    action: str
    marker: str
    role: str = ""


@dataclass(frozen=True, slots=True)
class Watch:
    """Which folder is watched, where its steps are written down, and what happens at one."""

    root: str
    log: str = ""
    strike: Strike | None = None

    def environment(self) -> dict[str, str]:
        """Return the variables that make every Python process watch itself."""
        root = Path(__file__).parents[2]
        return dict(os.environ) | {
            "PYTHONPATH": f"{HOOKED}{os.pathsep}{root}",
            VARIABLE: json.dumps(asdict(self)),
        }


def watch_from_environment() -> None:
    """Watch this process, if the environment asks for it."""
    if VARIABLE in os.environ:
        value = json.loads(os.environ[VARIABLE])
        strike = value["strike"] and Strike(**value["strike"])
        watch(Watch(value["root"], value["log"], strike))


def watch(wanted: Watch) -> None:
    """Wrap this process's functions that change storage."""
    watcher = _Watcher(wanted)
    for module, name, describe in (
        (os, "replace", watcher.name_rename),
        (os, "unlink", watcher.name_removal),
        (os, "mkdir", watcher.name_folder),
        (os, "rmdir", watcher.name_folder_removal),
        (os, "fsync", watcher.name_sync),
        (os, "write", watcher.name_message),
        (fcntl, "flock", watcher.name_lock),
        (io, "open", watcher.name_creation),
    ):
        setattr(module, name, watcher.wrap(getattr(module, name), describe))
    builtins.open = io.open


class _Watcher:
    """The state of a watched process: what it last made appear, where it notes its steps."""

    def __init__(self, wanted: Watch) -> None:
        self._root = Path(wanted.root)
        self._strike = wanted.strike
        self._write = os.write
        self._log = -1
        if wanted.log:
            self._log = os.open(wanted.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._appeared = ""
        self._role = "worker" if _WORKER in sys.orig_argv else "driver"

    def wrap(
        self, function: Callable[..., Any], describe: Callable[..., str]
    ) -> Callable[..., Any]:
        """Return `function` with its step announced before and after."""

        def wrapped(*arguments: Any, **options: Any) -> Any:
            # Calls relative to a descriptor are not made on an output folder.
            step = "" if options.get("dir_fd") is not None else describe(*arguments, **options)
            if not step:
                return function(*arguments, **options)
            self._note(step)
            self._meet(step, BEFORE, arguments)
            self._meet(step, HALF, arguments)
            result = function(*arguments, **options)
            self._meet(step, AFTER, arguments)
            return result

        return wrapped

    # What a call is named; empty if it is no step.

    def name_rename(self, source: Any, _target: Any, **_: Any) -> str:
        """Name the moment when an object appears."""
        self._appeared = self._object(source) or self._appeared
        return self._name("rename", source)

    def name_removal(self, path: Any, **_: Any) -> str:
        """Name the removal of an object."""
        return self._name("remove", path)

    def name_folder(self, path: Any, *_: Any, **__: Any) -> str:
        """Name the making of a folder."""
        self._appeared = self._object(path) or self._appeared
        return self._name("make folder", path)

    def name_folder_removal(self, path: Any, **_: Any) -> str:
        """Name the removal of a folder."""
        return self._name("remove folder", path)

    def name_creation(self, path: Any, mode: str = "r", *_: Any, **__: Any) -> str:
        """Name the opening of a file to be written."""
        if isinstance(path, int) or mode[:1] not in "wax":
            return ""
        return self._name("create", path)

    def name_sync(self, descriptor: int) -> str:
        """Name a sync: of a file, or of the folder that a file or folder has appeared in."""
        path = _path_of(descriptor)
        if not path.is_dir():
            return self._name("sync", path)
        folder = self._object(path)
        return folder and f"sync folder {folder} after {self._appeared or 'nothing'}"

    def name_lock(self, descriptor: Any, _operation: int) -> str:
        """Name the locking of a folder or file."""
        number = descriptor if isinstance(descriptor, int) else descriptor.fileno()
        return self._name("lock", _path_of(number))

    def name_message(self, descriptor: int, data: bytes) -> str:
        """Name what driver and worker tell each other about a task."""
        if not data.startswith(b"{") or not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            return ""
        message = json.loads(data)
        if self._role == "worker":
            return f"tell done {message['done']}" if "done" in message else ""
        return f"hand out {message['name']}" if "name" in message else ""

    def _name(self, verb: str, path: Any) -> str:
        found = self._object(path)
        return found and f"{verb} {found}"

    def _object(self, path: Any) -> str:
        """Return the name of an object in the watched folder, without digest and attempt."""
        with suppress(ValueError, TypeError):
            name = Path(os.fsdecode(path)).relative_to(self._root)
            base = _ATTEMPT.sub(r"\1", name.name)
            return name.with_name(_DIGEST.sub("", base)).as_posix() if base else "."
        return ""

    # What happens at a step.

    def _note(self, step: str) -> None:
        if self._log >= 0:
            self._write(self._log, f"{self._role}\t{step}\n".encode())

    def _meet(self, step: str, when: str, arguments: tuple[Any, ...]) -> None:
        strike = self._strike
        if strike is None or (strike.step, strike.when) != (step, when):
            return
        if strike.role not in {"", self._role}:
            return
        with suppress(FileExistsError):
            os.close(os.open(strike.marker, os.O_CREAT | os.O_EXCL))
            if when == HALF:
                os.truncate(arguments[0], Path(arguments[0]).stat().st_size // 2)
            self._act(strike.action)

    def _act(self, action: str) -> None:
        if action == "pause":
            assert self._strike is not None
            Path(f"{self._strike.marker}.pid").write_text(str(os.getpid()))
            os.read(os.open(f"{self._strike.marker}.go", os.O_RDONLY), 1)
        elif action == "group":
            os.killpg(0, signal.SIGKILL)
        elif action == "driver" and self._role == "worker":
            os.kill(os.getppid(), signal.SIGKILL)
            select.select([], [], [], _DEATH_SECONDS)  # dies with its parent, and does no more
        elif action in {"self", "driver"}:
            os.kill(os.getpid(), signal.SIGKILL)
        elif action == "children":
            from tests.support.processes import children  # noqa: PLC0415 - needed in a driver only

            for pid in children():
                os.kill(pid, signal.SIGKILL)
        else:
            number = getattr(errno, action)
            raise OSError(number, os.strerror(number))


def _path_of(descriptor: int) -> Path:
    return Path(f"/proc/self/fd/{descriptor}").readlink()
