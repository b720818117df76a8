"""Parts the words of a command line into inputs and options of Beam."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


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
    refused = [text for text in options if "num_workers" in text or "parallelism" in text]
    if refused:
        raise UsageError(f"{refused[0]}: give the number of workers with --workers")
    return [text for text in inputs if not text.startswith("-")], options
