"""The readers under the fuzzer, by name; each has a module here that says what it promises."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fuzz.target import Target

NAMES = (
    "block",
    "body",
    "candidates",
    "config",
    "entry",
    "folder",
    "manifest",
    "page",
    "parity",
    "parquet",
    "records",
    "run_config",
    "runs",
    "scenario",
    "stored_runs",
    "warc",
)


def load(name: str) -> Target:
    """Return a target; only what its reader needs is imported."""
    target: Target = importlib.import_module(f"tests.fuzz.{name}").TARGET
    return target
