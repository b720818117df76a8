"""Reader of a run's file: YAML is a plan, or a UsageError of one line that fits a screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sealedbeam.pipeline.errors import UsageError
from sealedbeam.pipeline.run_config import load_run

from tests.fuzz.config import YAML_TOKENS, stored
from tests.fuzz.target import Target, check_message

if TYPE_CHECKING:
    from collections.abc import Iterator

_WORDS = b"crawl index seeds output user_agent allow_hosts depth scenario workers on_damage".split()
_RUN = b"""crawl:
  seeds: [https://example.org/, seeds.txt]
  output: crawl
  user-agent: me/1.0
  allow_hosts: example.org
index: {output: index, shards: 2}
"""


def check(data: bytes) -> None:
    """Load the bytes as the file of a run, twice with the same result."""
    try:
        plan = load_run(stored(data))
    except UsageError as error:
        check_message(error)
        return
    assert load_run(stored(data)) == plan


def seeds() -> Iterator[bytes]:
    """Yield files of runs, right and wrong."""
    yield _RUN
    yield _RUN.replace(b"output", b"out-put")
    yield b"<<: {crawl: {}}\nindex: []\nnull: 1\n0x10: 2\n"
    yield b"crawl: {seeds: - }\n"
    yield b"crawl: {seeds: [" + b"a" * 3000 + b"]}\nindex: {output: x}\n"


TARGET = Target(
    check,
    seeds,
    ("sealedbeam.pipeline.run_config", "sealedbeam.pipeline.options", "yaml"),
    tokens=(*YAML_TOKENS, *(word + b": " for word in _WORDS)),
)
