"""Tells how a job ended, and what was set aside: prints for a person, or as JSON."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from .console import complain, show
from .display import describe_differences, describe_quarantine, describe_summary, to_json
from .errors import IntegrityError, UsageError
from .filesystems import open_source
from .jobs.expect import read_differences
from .jobs.quarantine import read_quarantine
from .jobs.totals import unreadable_inputs
from .warc.lookalikes import describe_lookalike

if TYPE_CHECKING:
    from .jobs.context import JobContext
    from .jobs.finish import Finished

_EXIT_INCOMPLETE = 4
_STANDARD_OUTPUT = Path("-")


def tell_end(context: JobContext, result: Finished | None, *, quiet: bool, as_json: bool) -> int:
    """Print how the job ended; return the exit code."""
    if result is None:
        if as_json:
            show(to_json(json.loads(context.store.read("summary.json"))))
        elif not quiet:
            show(f"{context.output} is already finished by this very job: nothing to do")
        unreadable = unreadable_inputs(context)
        for path in unreadable:
            complain(f"{path} is not a web archive that can be read{_hint(path)}")
        return _EXIT_INCOMPLETE if unreadable else 0
    if as_json:
        show(to_json(result.summary))
    elif not quiet:
        show(describe_summary(result.summary, context.output))
    unreadable = unreadable_inputs(context)
    for finding in result.findings:
        named = next((path for path in unreadable if finding.startswith(f"{path} ")), "")
        complain(finding + (_hint(named) if named else ""))
    if result.exit_code == IntegrityError.exit_code:
        complain("FAILED, no manifest was written and search refuses")
    return result.exit_code


def _hint(path: str) -> str:
    """Return what an input is that is no archive, as the end of a sentence."""
    with suppress(OSError, UsageError):
        hint = describe_lookalike(open_source(path))
        return f": {hint}" if hint else ""
    return ""


def tell_quarantine(folder: Path, export: Path | None, *, as_json: bool) -> None:
    """Print what was set aside in `folder`, or write it to the file `export`.

    Raises:
        UsageError: there is no job, or the file cannot be written.
        IntegrityError: a file of the job is damaged.
    """
    if export is not None:
        _refuse_export(export, as_json=as_json)
    rows = read_quarantine(folder)
    values = [asdict(row) | {"raw": base64.b64encode(row.raw).decode()} for row in rows]
    lines = "".join(to_json(value, indent=None) + "\n" for value in values)
    if export == _STANDARD_OUTPUT:
        show(lines.removesuffix("\n"))
    elif export is not None:
        try:
            export.write_text(lines)
        except OSError as error:
            raise UsageError(f"cannot write {export}: {error.strerror}") from None
        show(f"{len(rows)} rows written to {export}; their raw bytes are in base64")
    elif as_json:
        show(to_json(values))
    else:
        differences = read_differences(folder)
        lists = f"\n\n{describe_differences(differences)}" if differences else ""
        show(describe_quarantine(rows) + lists)


def _refuse_export(export: Path, *, as_json: bool) -> None:
    """Refuse an export that would print something else, or write over the files of an index."""
    if as_json:
        raise UsageError("--export writes JSON lines already; leave out --json")
    with suppress(OSError):  # then it cannot be written either
        for folder in export.resolve().parents:
            if any((folder / mark).exists() for mark in ("manifest.json", "ledger/job.json")):
                raise UsageError(f"{export} lies in the index {folder}; write it somewhere else")
