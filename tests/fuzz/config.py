"""Configuration reader: YAML is a configuration, or a UsageError of one line that fits a screen."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from sealedbeam.pipeline.config import CommandConfig, JobConfig, load_config
from sealedbeam.pipeline.errors import UsageError

from tests.fuzz.target import Target, check_message

if TYPE_CHECKING:
    from collections.abc import Iterator


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="fuzz-yaml-")


def stored(data: bytes) -> Path:
    """Return a file that holds `data`, until the next one is asked for."""
    path = Path(_folder().name, "file.yaml")
    path.write_bytes(data)
    return path


def check(data: bytes) -> None:
    """Load the bytes as a configuration."""
    try:
        config = load_config(stored(data), {})
    except UsageError as error:
        check_message(error)
        return
    values = config.model_dump(mode="json", by_alias=True, exclude_none=True)
    again = yaml.safe_dump(values).encode()
    assert load_config(stored(again), {}) == config


def seeds() -> Iterator[bytes]:
    """Yield configurations, right and wrong."""
    yield yaml.safe_dump(JobConfig().model_dump(mode="json")).encode()
    yield b"protection: detect\non-damage: drop\nmax-attempts: 2\nmax_dropped_ratio: 1e-3\n"
    yield b"{seed: 0x7f, shards: 8, part-bytes: 1_000_000}"
    yield b"# nothing\n"
    yield b"- a\n- &b [c, *b]\n"
    yield b"? [a, {b: c}]\n: !!binary aGk=\n<<: {seed: 1:30:00}\n"
    yield b"seed: !!int '7'\nshards: !!float 1.5\n'on-damage': !!timestamp 2001-12-14t21:59:43-05"


YAML_TOKENS = (
    *b"!!int !!float !!bool !!null !!binary !!timestamp !!set !!omap !!pairs !!str !!map".split(),
    *b"!!seq <<: &a *a ? --- ... %YAML %TAG | > |- >+1 ~ .inf .nan 0x 0b 0o7 1:30 2001-1-1".split(),
    b"- ", b": ", b"\n  ", b"\\u", b"\xef\xbb\xbf", b"\xff\xfe", b"''", b'""', b"{}", b"[]",
)  # fmt: skip

TARGET = Target(
    check,
    seeds,
    ("sealedbeam.pipeline.options", "sealedbeam.pipeline.yaml_files", "yaml"),
    tokens=(*YAML_TOKENS, *(f"{name}: ".encode() for name in CommandConfig.model_fields)),
)
