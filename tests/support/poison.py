"""Pages that harm the process that works on them, for the tests of supervision.

A page whose body holds `marker("parse", "segv")` ends each worker that parses it with SIGSEGV. The
stages are those of the recorder; the harms are the functions of `_HARMS`. Only processes that find
`POISONED` on their path suffer, so that a test's own process can tell what is expected.

    monkeypatch.setenv("PYTHONPATH", poisoned_path())
    page = poison_page(3, "parse", "hang")
"""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from sealedbeam.pipeline.index import parse, tokens
from sealedbeam.pipeline.warc import members, plain

from tests.support.archives import page_body, response_record

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.archives import StoredRecord

# Not from the other support modules: they import the job, whose names must be replaced before.
ROOT = Path(__file__).parents[2]
POISONED = ROOT / "tests" / "support" / "poisoned"
_MARKER = re.compile(rb"poison(parse|segment|read)(segv|kill|abort|hang|memory|error)x")
_EATEN_BYTES_MAX = 4 << 30  # a machine without limits survives a test that fails
_PIECE_BYTES = 32 << 20


def poisoned_path() -> str:
    """Return the module path of processes that suffer."""
    return os.pathsep.join((str(POISONED), str(ROOT)))


def marker(stage: str, harm: str) -> str:
    """Return the word that does harm at a stage."""
    return f"poison{stage}{harm}x"


def poison_page(number: int, stage: str, harm: str, *, body_bytes: int = 300) -> StoredRecord:
    """Return page `number` with a word in it that does harm."""
    body = page_body(number, body_bytes).replace(b"<p>", f"<p>{marker(stage, harm)} ".encode())
    return response_record(f"http://example.org/page/{number}", body)


def suffer() -> None:
    """Let the stages of this process come to harm by the marked pages."""
    _wrap(parse, "parse_page", "parse", lambda page: bytes(page.body))
    _wrap(tokens, "tokenize_batch", "segment", lambda texts: b" ".join(map(bytes, texts)))
    for framing in (members, plain):
        _wrap(framing, "build_record", "read", lambda _header, data, *_: bytes(data))


def _wrap(module: Any, name: str, stage: str, bytes_of: Callable[..., bytes]) -> None:
    healthy = getattr(module, name)

    def harmed(*arguments: Any, **options: Any) -> Any:
        for found in _MARKER.finditer(bytes_of(*arguments)):
            if found[1].decode() == stage:
                _HARMS[found[2].decode()]()
        return healthy(*arguments, **options)

    setattr(module, name, harmed)


def _die_of(number: int) -> Callable[[], None]:
    def die() -> None:
        signal.signal(number, signal.SIG_DFL) if number != signal.SIGKILL else None
        os.kill(os.getpid(), number)

    return die


def _hang() -> NoReturn:
    while True:
        signal.pause()


def _raise() -> NoReturn:
    raise LookupError("a page that was not thought of")


def _eat_memory() -> None:
    eaten = [b"x" * _PIECE_BYTES for _ in range(_EATEN_BYTES_MAX // _PIECE_BYTES)]
    del eaten
    os._exit(99)  # no limit held


_HARMS: dict[str, Callable[[], object]] = {
    "segv": _die_of(signal.SIGSEGV),
    "kill": _die_of(signal.SIGKILL),
    "abort": _die_of(signal.SIGABRT),
    "hang": _hang,
    "memory": _eat_memory,
    "error": _raise,
}
