"""Serves a folder beside the command that fills it, in a process of its own.

The command opens the socket and starts the server's process, which gets what is left of the
processor only, and shares nothing with the job but its folder. Between them is a pipe to which
nobody writes: when the command ends, however it does, the pipe ends, and the server with it.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

from sealedbeam.pipeline.console import complain

from .server import listening, loop, open_socket, url_of

if TYPE_CHECKING:
    from types import TracebackType

LOOPBACK = "127.0.0.1"
_NICENESS = 10
_END_SECONDS = 5.0


class Beside:
    """The server of a job; a context manager, so that it does not outlive the command."""

    def __init__(self, root: Path, port: int) -> None:
        """Open the port, for the folder `root`, which need not be there yet.

        Raises:
            UsageError: the port cannot be had.
        """
        self._root = root
        self._socket = open_socket(LOOPBACK, port)
        self._life: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def start(self) -> str:
        """Start the server; return its address."""
        url = url_of(self._socket)
        theirs, self._life = os.pipe()
        numbers = (self._socket.fileno(), theirs)
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", __name__, *map(str, numbers), str(self._root.absolute())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=numbers,
        )
        os.close(theirs)
        self._socket.close()  # the server's process has it now, alone
        return url

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()
        if self._life is not None:
            os.close(self._life)
        if self._process is not None:
            try:
                self._process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def serve_until_end(opened: socket.socket, life: int, root: Path) -> None:
    """Serve a folder until the pipe `life` ends."""
    from .running import serving  # noqa: PLC0415 - the command's own process does without

    with serving(root, complain) as application, listening(application, opened) as watched:
        loop(watched, life)


def _main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command decides what an interrupt ends
    os.nice(_NICENESS)
    opened, life, root = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    serve_until_end(socket.socket(fileno=opened), life, root)
    os._exit(0)  # a reading that is under way is waited for by nobody


if __name__ == "__main__":
    _main()
