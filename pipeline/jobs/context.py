"""What every task of a job knows: inputs, options, output folder, channel; as JSON for workers."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.config import (
    FORMAT_VERSION,
    LIMITS,
    JobConfig,
    canonical_json,
    configuration_hash,
)
from sealedbeam.pipeline.errors import IntegrityError, UsageError
from sealedbeam.pipeline.filesystems import open_source
from sealedbeam.pipeline.integrity.channel import ChannelReference

from .entry import decode_entry, entry_path
from .object_store import open_store
from .plan import InputFile, plan_shards

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sealedbeam.pipeline.integrity.channel import Channel
    from sealedbeam.pipeline.integrity.ladder import Policy
    from sealedbeam.pipeline.warc.source import ByteSource

    from .entry import Entry
    from .store import Store


@dataclass(frozen=True)
class JobContext:
    """A job, as every process that works on it sees it.

    Attributes:
        output: the output folder.
        inputs: the input files, in order.
        config: the options that decide the output.
        channel: what makes the job's channel.
        scenario: the fault plan as JSON text, empty in production.
        keep_runs: whether the run files stay after the manifest.
        expect: paths of lists of what the inputs should hold.
        listing_sha256: of the bytes of those lists, empty without any.
        attached: files that lie in the output folder before any work, by path. They follow from the
            scenario; their content is known only where the folder is claimed, and empty elsewhere.
    """

    output: str
    inputs: tuple[InputFile, ...]
    config: JobConfig
    channel: ChannelReference
    scenario: str = ""
    keep_runs: bool = False
    expect: tuple[str, ...] = ()
    listing_sha256: str = ""
    attached: Mapping[str, bytes] = field(default_factory=dict, hash=False)

    @cached_property
    def configuration(self) -> dict[str, Any]:
        """All that decides the output's bytes: what the configuration hash covers."""
        return {
            "format_version": FORMAT_VERSION,
            "unicode_version": unicodedata.unidata_version,
            "inputs": [[file.size, file.crc32c] for file in self.inputs],
            "options": self.config.model_dump(mode="json", exclude=set(LIMITS)),
            "scenario": hashlib.sha256(self.scenario.encode()).hexdigest(),
            **({"listing": self.listing_sha256} if self.expect else {}),
        }

    @cached_property
    def configuration_hash(self) -> str:
        """The hash of `configuration`."""
        return configuration_hash(self.configuration)

    @cached_property
    def shards(self) -> int:
        """The number of shards."""
        return plan_shards(self.inputs, self.config.shard_bytes, self.config.shards)

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """The inputs' paths, by number."""
        return tuple(file.path for file in self.inputs)

    @cached_property
    def policy(self) -> Policy:
        """Protection and damage policy."""
        return self.config.policy()

    @cached_property
    def store(self) -> Store:
        """The output folder, under this process's attempt name."""
        return open_store(self.output)

    @cached_property
    def transit_source(self) -> Channel:
        """The job's channel, made again in this process."""
        return self.channel.rebuild()

    @cached_property
    def _sources(self) -> dict[int, ByteSource]:
        return {}

    def source(self, number: int) -> ByteSource:
        """Return input number `number`, opened."""
        if number not in self._sources:
            expected, source = self.inputs[number], open_source(self.inputs[number].path)
            if source.size != expected.size:
                raise UsageError(
                    f"{expected.path} has {source.size} bytes; when the job began it had "
                    f"{expected.size}. Give the input as it was, or a new folder with --output"
                )
            self._sources[number] = source
        return self._sources[number]

    def committed(self, task: str) -> Entry | None:
        """Return the entry of a task of this very job, None when it did not commit.

        A damaged entry is none: the task is done again, and commits the same once more.
        """
        path = entry_path(task)
        try:
            entry = decode_entry(self.store.read(path), path)
        except (FileNotFoundError, IntegrityError):
            return None
        return entry if entry.configuration_hash == self.configuration_hash else None

    def to_json(self) -> str:
        """Return the context as one line of JSON."""
        return canonical_json(
            {
                "output": self.output,
                "inputs": [file.to_json() for file in self.inputs],
                "config": self.config.model_dump(mode="json"),
                "channel": asdict(self.channel),
                "scenario": self.scenario,
                "keep_runs": self.keep_runs,
                "expect": list(self.expect),
                "listing_sha256": self.listing_sha256,
                "attached": list(self.attached),
            }
        )

    @classmethod
    def from_json(cls, text: str) -> JobContext:
        """Return the context that `to_json` wrote."""
        value = json.loads(text)
        return cls(
            value["output"],
            tuple(InputFile.from_json(file) for file in value["inputs"]),
            JobConfig.model_validate(value["config"]),
            ChannelReference(**value["channel"]),
            value["scenario"],
            value["keep_runs"],
            tuple(value["expect"]),
            value["listing_sha256"],
            dict.fromkeys(value["attached"], b""),
        )
