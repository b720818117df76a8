"""The command `serve`, and the server that other commands have beside them with `--serve`."""

from __future__ import annotations

import re
import signal
import sys
from contextlib import contextmanager
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click
from sealedbeam.pipeline.console import Command, NamedPath, complain, show
from sealedbeam.pipeline.errors import UsageError
from sealedbeam.pipeline.filesystems import local_folder

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from sealedbeam.monitoring.serving.replay import ReplayClock

PORT = click.IntRange(0, 65_535)
_DEFAULT_PORT, _LOOPBACK = 8417, "127.0.0.1"
_DEFAULT_PACE = 60.0
_EXIT_INTERRUPTED, _EXIT_TERMINATED = 130, 143
_NAME = re.compile(r"[a-z0-9_.-]+|[0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:.]*")
_FOLDER = NamedPath(path_type=Path, exists=True, file_okay=False)


@click.command(cls=Command)
@click.argument("folder", type=_FOLDER, metavar="DIR")
@click.option(
    "--port", type=PORT, default=_DEFAULT_PORT, show_default=True, help="0 takes any free one."
)
@click.option(
    "--bind",
    default=_LOOPBACK,
    show_default=True,
    metavar="ADDRESS",
    help="IP address to listen on; ::1 for IPv6, 0.0.0.0 for every network.",
)
@click.option(
    "--allow-host",
    "hosts",
    multiple=True,
    metavar="NAME",
    help="Name or address, beside this machine's own, under which it may be called; repeatable.",
)
@click.option("--replay", is_flag=True, help="Show finished jobs on a simulated clock.")
@click.option(
    "--pace",
    type=click.FloatRange(0, 1e6, min_open=True),
    help="Simulated seconds a second, with --replay [60].",
)
@click.option("--json", "as_json", is_flag=True, help="Print the address as JSON.")
def serve(folder: Path, port: int, bind: str, **options: Any) -> None:
    """Show jobs in a browser and to Prometheus, while they run and afterwards.

    DIR is the output of a job or of a campaign, or a folder of them. / is the page, /metrics the
    ledger for Prometheus, /api/jobs the way into all figures as JSON, /healthz says ok. Nothing is
    written, and no job is ever held up. Of a folder of jobs each metric bears the label job_name.

    With --replay a finished job under a scenario begins anew: one simulated minute a second, so
    that bursts and what became of them can be watched.

    Only this machine can reach it, unless --bind and --allow-host say otherwise; there is no
    password. It ends with Ctrl-C.

    \b
    Example:
      sealedbeam serve index
      sealedbeam serve campaign --replay --pace 120
      sealedbeam serve index --bind 0.0.0.0 --allow-host indexer.example.org --port 80
    """
    from sealedbeam.monitoring.serving.replay import ReplayClock
    from sealedbeam.monitoring.serving.server import open_socket

    if options["pace"] is not None and not options["replay"]:
        raise UsageError("--pace has no effect without --replay; leave it out or ask for that")
    if options["pace"] is not None and isnan(options["pace"]):
        raise UsageError("--pace is no number; give the simulated seconds that pass in one")
    opened = open_socket(bind, port)
    replay = ReplayClock(options["pace"] or _DEFAULT_PACE) if options["replay"] else None
    hosts = frozenset(map(_name_host, options["hosts"]))
    sys.exit(_serve(folder, opened, hosts, replay, as_json=options["as_json"]))


def _name_host(name: str) -> str:
    """Return a name or address as a Host header has it, without a port."""
    bare = name.lower().strip("[]").removesuffix(".")
    if not _NAME.fullmatch(bare):
        raise UsageError(f"--allow-host {name}: a name or an address is needed, without a port")
    return bare


def _serve(
    folder: Path,
    opened: socket.socket,
    hosts: frozenset[str],
    replay: ReplayClock | None,
    *,
    as_json: bool,
) -> int:
    """Serve until a signal comes; return the exit code."""
    from sealedbeam.monitoring.serving.running import serving
    from sealedbeam.monitoring.serving.server import listening, loop, url_of
    from sealedbeam.pipeline.display import to_json

    address = opened.getsockname()[0]
    url = url_of(opened)
    signal.signal(signal.SIGTERM, _end)
    try:
        with (
            serving(folder, complain, hosts | {address}, replay) as application,
            listening(application, opened) as watched,
        ):
            where = {"url": url, "folder": str(folder.absolute())}
            show(to_json(where) if as_json else f"{folder} is shown at {url} until Ctrl-C")
            sys.stdout.flush()
            loop(watched)
    except KeyboardInterrupt:
        return _EXIT_INTERRUPTED
    return 0


def _end(_number: int, _frame: object) -> None:
    raise SystemExit(_EXIT_TERMINATED)  # of what else is raised, the loop lets nothing through


class Start(Protocol):
    """Starts a server that is ready to be started."""

    def __call__(self, *, silent: bool) -> None:
        """Start it, and say where it is unless it is to be silent."""


@contextmanager
def serve_beside(folder: Path, port: int | None) -> Iterator[Start]:
    """Yield what starts a command's own server, which ends with the context.

    Args:
        folder: that the command fills; it need not be there yet.
        port: on this machine, None for no server.

    Raises:
        UsageError: the port cannot be had, or the folder is not on this machine.
    """
    if port is None:
        yield _start_nothing
        return
    local_folder(folder)
    from sealedbeam.monitoring.serving.beside import Beside

    with Beside(folder, port) as beside:

        def start(*, silent: bool) -> None:
            url = beside.start()
            if not silent:
                show(f"{folder} is shown at {url} until the end", sys.stderr)

        yield start


def _start_nothing(*, silent: bool) -> None:
    """Start nothing."""
