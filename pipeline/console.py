"""How commands speak to the user: streams that hold, errors of one line, exit codes.

A stream that is closed, full or broken costs what would have been shown on it and nothing else: no
job ends because nobody reads its progress, and no exit code is lost with the lines before it.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click
from click.exceptions import NoArgsIsHelpError

from .errors import SealedBeamError
from .objects import WRITABLE, scheme_of
from .text import harmless, one_line

if TYPE_CHECKING:
    from types import FrameType

_EXIT_INTERRUPTED = 130
_EXIT_TERMINATED = 143
_STANDARD_DESCRIPTORS = 3


class Program(click.Group):
    """Commands whose errors are one line, with the exit codes that README.md promises."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Run the command that the arguments name, and exit."""
        _hold_streams()
        try:
            code = super().main(*arguments, **(options | {"standalone_mode": False}))
        except NoArgsIsHelpError as error:
            show(error.format_message(), sys.stderr)
            code = error.exit_code
        except click.ClickException as error:
            complain(_teach(error))
            code = error.exit_code
        except SealedBeamError as error:
            complain(str(error))
            code = error.exit_code
        except OSError as error:
            from .jobs.store import storage_error  # noqa: PLC0415 - `--help` does without jobs

            complain(str(storage_error(error)))
            code = SealedBeamError.exit_code
        sys.exit(code)


class Command(click.Command):
    """A command that ends well when it is asked to end."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        signal.signal(signal.SIGTERM, _terminate)
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            complain("interrupted; the same command goes on from here")
            ctx.exit(_EXIT_INTERRUPTED)


class NamedPath(click.Path):
    """A path that is not the empty text, which would stand for the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        if value == "":
            self.fail("the path is empty", param, ctx)
        return super().convert(value, param, ctx)


class IndexPath(NamedPath):
    """A path of an index: a folder that is there, or a URL, which is looked at when it is read."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, exists=True, file_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        if scheme_of(str(value)) in WRITABLE:
            return Path(value)
        return super().convert(value, param, ctx)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    complain("terminated; the same command goes on from here")
    raise SystemExit(_EXIT_TERMINATED)  # unwinds, so that the workers are ended first


def _teach(error: click.ClickException) -> str:
    """Return what was wrong about the arguments, and where to read what is right."""
    message = error.format_message()
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None:
        return message
    return f"{message.rstrip('.')}; see {context.command_path} --help"


def _hold_streams() -> None:
    """Make the standard streams take whatever is written.

    A descriptor that is closed would be given to the next file that is opened, and what was meant
    for the stream would be written there.
    """
    with suppress(OSError):
        while (descriptor := os.open(os.devnull, os.O_RDWR)) < _STANDARD_DESCRIPTORS:
            pass
        os.close(descriptor)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            # As long as the process: no context ends before it.
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def complain(message: str) -> None:
    """Write what went wrong as one line on standard error."""
    show(f"sealedbeam: {one_line(message)}", sys.stderr)


def show(text: str, stream: TextIO | None = None) -> None:
    """Write lines of text, made harmless to a terminal.

    A reader that has left, or a stream that is not there, is no error.

    Raises:
        SealedBeamError: standard output cannot take the text.
    """
    stream = stream or sys.stdout
    try:
        click.echo(harmless(text), stream)
    except OSError as error:
        _silence(stream)
        if stream is not sys.stderr and not isinstance(error, BrokenPipeError):
            raise SealedBeamError(f"cannot write to standard output: {error.strerror}") from None


def _silence(stream: TextIO) -> None:
    """Send what is left in the buffer, and all that comes, to nowhere."""
    with suppress(OSError, ValueError), Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())
