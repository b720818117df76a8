"""What every task of a crawl knows: options, output folder, channel; as JSON for workers."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable  # noqa: TC003 - the fields of a dataclass are evaluated
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.config import FORMAT_VERSION, canonical_json, configuration_hash
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.integrity.channel import ChannelReference
from sealedbeam.pipeline.jobs.entry import decode_entry, entry_path
from sealedbeam.pipeline.jobs.store import Store

from .config import CrawlConfig

if TYPE_CHECKING:
    from sealedbeam.pipeline.integrity.channel import Channel
    from sealedbeam.pipeline.integrity.ladder import Policy
    from sealedbeam.pipeline.jobs.entry import Entry

WORK = "crawl"
_FREE = (
    *("max_bytes", "max_seconds", "round_seconds", "round_pages", "connections", "pages"),
    *("record_seconds", "worker_memory_bytes", "refetch_seconds"),
)
"""Options that another run of the same crawl may change: they say how far it goes, and how fast."""


@dataclass(frozen=True)
class CrawlContext:
    """A crawl, as every process that works on it sees it.

    Attributes:
        output: the output folder.
        config: its options.
        channel: what makes its channel.
        scenario: the fault plan as JSON text, empty in production.
        clock: tells seconds since the epoch; another process has the system's.
    """

    output: str
    config: CrawlConfig
    channel: ChannelReference
    scenario: str = ""
    clock: Callable[[], float] = field(default=time.time, compare=False)

    @cached_property
    def configuration(self) -> dict[str, Any]:
        """What must be the same to go on with a folder: what the configuration hash covers."""
        return {
            "format_version": FORMAT_VERSION,
            "work": WORK,
            "options": self.config.model_dump(mode="json", exclude=set(_FREE)),
            "scenario": hashlib.sha256(self.scenario.encode()).hexdigest(),
        }

    @cached_property
    def configuration_hash(self) -> str:
        """The hash of `configuration`."""
        return configuration_hash(self.configuration)

    @cached_property
    def policy(self) -> Policy:
        """Protection and damage policy."""
        return self.config.policy()

    @cached_property
    def store(self) -> Store:
        """The output folder, under this process's attempt name."""
        return Store(Path(self.output))

    @cached_property
    def transit_source(self) -> Channel:
        """The crawl's channel, made again in this process."""
        return self.channel.rebuild()

    def committed(self, task: str) -> Entry | None:
        """Return the entry of a task of this crawl, None when it did not commit."""
        path = entry_path(task)
        if not self.store.exists(path):
            return None
        try:
            entry = decode_entry(self.store.read(path), path)
        except IntegrityError:
            return None
        return entry if entry.configuration_hash == self.configuration_hash else None

    def to_json(self) -> str:
        """Return the context as one line of JSON."""
        return canonical_json(
            {
                "work": WORK,
                "output": self.output,
                "config": self.config.model_dump(mode="json"),
                "channel": asdict(self.channel),
                "scenario": self.scenario,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> CrawlContext:
        """Return the context that `to_json` wrote."""
        value = json.loads(text)
        return cls(
            value["output"],
            CrawlConfig.model_validate(value["config"]),
            ChannelReference(**value["channel"]),
            value["scenario"],
        )
