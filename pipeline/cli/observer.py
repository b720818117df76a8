"""What looks at a job from outside: counts its faults, and writes its metrics and report."""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.console import complain
from sealedbeam.pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sealedbeam.pipeline.jobs.context import JobContext
    from sealedbeam.pipeline.jobs.finish import Finished
    from sealedbeam.pipeline.jobs.totals import Totals


class JobObserver:
    """Counts the faults of a scenario, and writes metrics and report when a job ends."""

    def __init__(self, command: str, scenario: str, *, judges: bool = True) -> None:
        """Observe a job that `command` started; `scenario` is its fault plan, or empty.

        One that `judges` fails a job over what only the injector can know.
        """
        self.command = command
        self._scenario = scenario
        self._judges = judges
        self._law: list[str] = []
        self._unseen = 0

    def count_faults(self, journals: Sequence[bytes]) -> dict[str, int] | None:
        """Return the faults by outcome, None without a scenario."""
        if not self._scenario:
            return None
        from sealedbeam.faults.checkers import check_cells, count_cells, count_unseen, sum_figures

        cells = count_cells(journals)
        self._law = check_cells(cells)
        self._unseen = count_unseen(cells)
        return sum_figures(cells)

    def judge_faults(self, figures: dict[str, int], *, sealed: bool) -> list[str]:
        """Object where faults are unaccounted for, and where one escaped that a seal must show."""
        from sealedbeam.faults.checkers import check_escapes

        if not self._judges:
            return []
        return self._law + (check_escapes(figures, self._unseen) if sealed else [])

    def publish(self, context: JobContext, totals: Totals, summary: dict[str, Any]) -> None:
        """Write metrics.prom and report.html."""
        from sealedbeam.monitoring.publish import publish

        if not context.store.shared:
            publish(Path(context.output), totals, summary, self.command)
            return
        with TemporaryDirectory(prefix="sealedbeam-views-") as folder:
            root = Path(folder)
            _fetch_for_views(context, root)
            publish(root, totals, summary, self.command)
            for file in sorted(root.iterdir()):
                if file.is_file():
                    context.store.write(file.name, file.read_bytes())


def _fetch_for_views(context: JobContext, root: Path) -> None:
    """Put into `root` what views read of an output that is not on this machine.

    Of the parts they read only how many there are.
    """
    store = context.store
    for folder in ("ledger", "quarantine"):
        (root / folder).mkdir()
    for path in ("ledger/job.json", *store.names("quarantine")):
        (root / path).write_bytes(store.read(path))
    for path in store.names("ledger"):
        (root / path).touch()


@contextmanager
def pushed_outcome(url: str | None, output: Path) -> Iterator[Callable[[Finished | None], None]]:
    """Push how a batch ends to the Pushgateway at `url`, if there is one.

    The block calls what is yielded with its result; a block that fails is a batch that failed. A
    push that fails is complained of, and changes nothing.

    Raises:
        UsageError: `url` is no address.
    """
    if url is None:
        yield lambda _: None
        return
    from sealedbeam.monitoring.pushing import (
        FAILED,
        BatchOutcome,
        check_gateway,
        push_outcome,
    )

    gateway, started = check_gateway(url), time.monotonic()

    def push(status: str, ledger: str, hops: dict[str, dict[str, int]]) -> None:
        seconds, name = time.monotonic() - started, output.absolute().name
        outcome = BatchOutcome(name, status, ledger, round(seconds, 3), time.time(), hops)
        if problem := push_outcome(gateway, outcome):
            complain(f"warning: {problem}")

    def tell(result: Finished | None) -> None:
        if result is not None:
            summary = result.summary
            push(summary["status"], summary["ledger"], summary["hops"])

    try:
        yield tell
    except UsageError:
        raise  # nothing was done
    except Exception:
        push(FAILED, "unknown", {})
        raise
