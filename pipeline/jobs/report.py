"""Tells the driver what a worker did: events as lines of JSON through a pipe."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Reporter:
    """Sends events as lines of JSON into a pipe of this process; harmless without one."""

    descriptor: int | None = None

    def send(self, **event: Any) -> None:
        """Send one event; short enough to be written in one piece."""
        if self.descriptor is not None:
            os.write(self.descriptor, json.dumps(event).encode() + b"\n")
