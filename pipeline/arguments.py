"""Parts the words of a command line into inputs and options of Beam, and writes such options."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence


def split_options(inputs: Sequence[str], own: Collection[str]) -> tuple[list[str], list[str]]:
    """Part the inputs from Beam's options, which begin with a dash and follow `--`.

    Raises:
        UsageError: an option is refused, or is one of the command's `own`.
    """
    if "-" in inputs:
        raise UsageError("-: standard input can be read once only; save it to a file first")
    options = [text for text in inputs if text.startswith("-")]
    misplaced = [text for text in options if text.partition("=")[0] in own]
    if misplaced:
        raise UsageError(f"{misplaced[0]}: give it before --, behind which are options of Beam")
    if refused := list(filter(sets_workers, options)):
        raise UsageError(f"{refused[0]}: give the number of workers with --workers")
    return [text for text in inputs if not text.startswith("-")], options


def sets_workers(option: str) -> bool:
    """Whether an option of Beam says how many workers there are, as the command's own does."""
    return any(word in option for word in ("num_workers", "parallelism")) and (
        "sdk_worker_parallelism" not in option  # processes that share the work of one worker
    )


def beam_flags(options: Mapping[str, str | int]) -> list[str]:
    """Return options of Beam, given by name, as the words of a command line."""
    flags = []
    for name, value in options.items():
        if value is True:
            flags.append(f"--{name}")
        elif value is not False:
            flags.append(f"--{name}={value}")
    return flags
