"""The channel of a plan: a value that workers make again, and that makes a transit for each task.

It cannot be told from the perfect channel but by what arrives. Most of this package is loaded only
where something can happen: rates of zero cost next to nothing.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from sealedbeam.pipeline.config import canonical_json
from sealedbeam.pipeline.integrity.channel import ChannelReference

from .planfile import read_plan_file
from .quiet import QuietTransit

if TYPE_CHECKING:
    from collections.abc import Callable

    from sealedbeam.pipeline.integrity.channel import Transit


@dataclass(frozen=True, slots=True)
class FaultyChannel:
    """The channel of a plan: the file that it lies in, and the file's SHA-256."""

    path: str
    sha256: str

    def begin(self, task: str) -> Transit:  # noqa: ARG002 - faults follow records, not tasks
        """Return a transit with an empty journal.

        Raises:
            IntegrityError: the plan is gone or was changed.
        """
        return _open(read_plan_file(self.path, self.sha256))()

    def reference(self) -> ChannelReference:
        """Return the path and the SHA-256 of the plan, for `rebuild`."""
        return ChannelReference(f"{__name__}:{rebuild.__name__}", canonical_json(asdict(self)))


def rebuild(argument: str) -> FaultyChannel:
    """Return the channel that `FaultyChannel.reference` described."""
    return FaultyChannel(**json.loads(argument))


@lru_cache(maxsize=1)
def _open(plan: bytes) -> Callable[[], Transit]:
    """Return what makes transits under a plan; a process has many tasks under one."""
    values = json.loads(plan)
    if values["quiet"]:
        return partial(QuietTransit.of, values)
    from .plan import parse_plan  # noqa: PLC0415 - costs more than all that a quiet plan needs
    from .transit import FaultyTransit  # noqa: PLC0415 - likewise

    return partial(FaultyTransit, parse_plan(plan.decode()))
