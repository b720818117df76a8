"""The command `sealedbeam fleet`: reads options, prints what a fleet has to expect.

Heavy modules are imported when it runs, so that `--help` of the program answers at once.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from sealedbeam.pipeline.console import Command, NamedPath, show
from sealedbeam.pipeline.errors import UsageError

_ALLOWED = {
    "days": (1, 3660),
    "machines": (1, 10_000_000),
    "acceleration": (0, 1_000_000),
    "audit_share": (0, 1),
    "seed": (0, (1 << 64) - 1),
}


@click.command(cls=Command)
@click.argument("clusters", type=NamedPath(path_type=Path), metavar="CLUSTERS.yaml")
@click.option("--days", type=int, default=365, show_default=True, help="How long the fleet runs.")
@click.option("--machines", type=int, help="So many in all, in the file's proportions.")
@click.option("--acceleration", type=float, default=1.0, help="Multiplies the rates of memory [1].")
@click.option("--audit-share", type=float, default=0.01, help="Share that an audit repeats [0.01].")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the simulated run.")
@click.option("--json", "as_json", is_flag=True, help="Print all figures as JSON.")
def fleet(clusters: Path, **options: Any) -> None:
    """Tell what a fleet of machines has to expect, and which protection it needs.

    Faults of memory, what each code lets through, wrong computations, machines lost and the traffic
    of repairs: by formulas, and beside them in one simulated run.

    \b
    Example:
      sealedbeam fleet configs/clusters/world.yaml --days 365
      sealedbeam fleet configs/clusters/world.yaml --machines 100000 --json
    """  # noqa: D301 - click ends a paragraph's wrapping at this character
    as_json: bool = options.pop("as_json")
    for name, (least, most) in _ALLOWED.items():
        if options[name] is not None and not least <= options[name] <= most:
            raise UsageError(
                f"--{name.replace('_', '-')} is {options[name]:g}; "
                f"allowed: a number from {least} to {most:,}"
            )
    from .fleet_text import describe_fleet, read_fleet  # noqa: PLC0415 - `--help` does without

    summary = read_fleet(clusters, **options)
    show(json.dumps(summary.to_dict(), indent=1) if as_json else describe_fleet(summary))
