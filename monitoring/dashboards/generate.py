"""All dashboards as the bytes of files, which follow from the code and the runbook alone."""

from __future__ import annotations

import json

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from . import burst, comparison, overview, runbook, world


def generate(runbook_markdown: str) -> dict[str, bytes]:
    """Return the files of the dashboards by name.

    Raises:
        ValueError: the runbook does not have the sections that panels link to.
    """
    built = {
        "overview": overview.build(),
        "world": world.build(),
        "burst": burst.build(),
        "comparison": comparison.build(),
        "runbook": runbook.build(runbook_markdown),
    }
    return {
        f"{name}.json": (
            json.dumps(board, cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        ).encode()
        for name, board in built.items()
    }
