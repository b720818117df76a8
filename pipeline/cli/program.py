"""The program `sealedbeam`, of which all commands are part.

Heavy modules are imported by the command that needs them, so that `--help` answers at once.
"""

from __future__ import annotations

import click
from sealedbeam.faults.fleet_command import fleet
from sealedbeam.pipeline.console import Program

from .backfill import backfill
from .campaign import campaign
from .crawl import crawl
from .index import index
from .looking import audit, quarantine, search
from .run import run
from .scrub import scrub
from .serve import serve


@click.group(
    cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="sealedbeam")
def main() -> None:
    """Index web archives with every record sealed, and prove that nothing was lost silently.

    \b
    Example:
      sealedbeam index crawl.warc.gz --output index
      sealedbeam search index 'cosmic rays'
      sealedbeam audit index

    \b
    Exit codes:
      0 done               1 unexpected error      2 usage or configuration, nothing was done
      3 integrity: the ledger does not balance, too much was dropped, or stored bytes are damaged
      4 some input is not an archive that can be read; the rest was indexed
      130, 143 interrupted or terminated: the same command goes on from what was committed
    """


for _command in (
    crawl,
    index,
    run,
    search,
    audit,
    scrub,
    quarantine,
    campaign,
    fleet,
    serve,
    backfill,
):
    main.add_command(_command)
