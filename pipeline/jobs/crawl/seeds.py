"""Seeds as people give them: addresses, files with one to a line, standard input."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sealedbeam.pipeline.crawl.urls import canonical, without_user
from sealedbeam.pipeline.errors import UsageError
from sealedbeam.pipeline.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

STANDARD_INPUT = "-"
_SEEDS_MAX = 10_000_000
_SHOWN_CHARACTERS = 200
_SCHEME = "://"
_HAS_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:[/\\]", re.IGNORECASE)
_PATHS_BEGIN = ("/", "./", "../", "~")
_FILES_END = (".txt", ".csv", ".lst", ".list", ".urls", ".yaml")


def seed_lines(words: Sequence[str]) -> Iterator[str]:
    """Yield the lines that words stand for: a file's, standard input's, or the word itself.

    Raises:
        UsageError: a file cannot be read, or a word looks like one that is not there.
    """
    for word in words:
        if word == STANDARD_INPUT:
            yield from sys.stdin
        elif names_file(word):
            try:
                yield from Path(word).read_text(errors="replace").splitlines()
            except OSError as error:
                raise UsageError(f"cannot read the seeds in {word}: {error.strerror}") from None
        elif _SCHEME not in word and (word.startswith(_PATHS_BEGIN) or word.endswith(_FILES_END)):
            raise UsageError(
                one_line(f"{word} is no file of seeds; give one that is there, or an address")
            )
        else:
            yield word


def names_file(word: str) -> bool:
    """Whether a seed is the path of a file and no address."""
    try:
        return _SCHEME not in word and Path(word).is_file()
    except OSError:  # it is too long for a path
        return False


def read_seeds(lines: Iterable[str]) -> list[str]:
    """Return the canonical addresses that lines name, each once; a line with # is a comment.

    Raises:
        UsageError: a line is no web address, or there is none.
    """
    seeds: dict[str, None] = {}
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        address = text if _HAS_SCHEME.match(text) else f"https://{text}"
        url = canonical(address)
        if url is None:
            shown = without_user(address)[:_SHOWN_CHARACTERS]
            raise UsageError(
                f"seed {number}, {shown!r}, is no address of the web; "
                "write one such as https://example.org/"
            )
        seeds[url] = None
        if len(seeds) > _SEEDS_MAX:
            raise UsageError(f"there are more than {_SEEDS_MAX:,} seeds; crawl them in parts")
    if not seeds:
        raise UsageError("there is no seed to begin with; give addresses, or a file of them")
    return list(seeds)
