"""What the fuzzer is told of one reader: its check, bytes to begin with, and what to watch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sealedbeam.pipeline.errors import SealedBeamError

MESSAGE_CHARACTERS_MAX = 20_000  # some times what an input has, each escaped


@dataclass(frozen=True, slots=True)
class Target:
    """One reader under the fuzzer.

    Attributes:
        check: hands the bytes to the reader, and raises AssertionError where it breaks a promise;
            any other exception is one that the reader does not document.
        seeds: inputs that the project's own writers make, to begin with.
        modules: prefixes of the names of the modules whose branches the fuzzer sees.
        tokens: words of the format, which the fuzzer puts into its inputs.
        max_bytes: the longest input.
    """

    check: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    modules: tuple[str, ...]
    tokens: tuple[bytes, ...] = ()
    max_bytes: int = 4096


def check_message(error: SealedBeamError) -> None:
    """Check that a message is one line that a terminal can show."""
    message = str(error)
    assert message.isprintable(), message
    assert len(message) <= MESSAGE_CHARACTERS_MAX, len(message)
