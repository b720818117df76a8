"""Other programs' opinion of an archive: warcio's and FastWARC's checks, and warcio's reading."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import TYPE_CHECKING, NamedTuple

import fastwarc.cli
from click.testing import CliRunner
from sealedbeam.pipeline.warc.cdxj import surt
from warcio.archiveiterator import ArchiveIterator
from warcio.checker import Checker

if TYPE_CHECKING:
    from pathlib import Path


class Seen(NamedTuple):
    """A record as warcio reads it; names of fields in lower case, of HTTP what there is."""

    offset: int
    length: int
    fields: dict[str, str]
    status: str
    content_type: str
    payload: bytes

    @property
    def kind(self) -> str:
        """Its type."""
        return self.fields["warc-type"]

    @property
    def url(self) -> str:
        """The address that it is of, empty if of none."""
        return self.fields.get("warc-target-uri", "")


def assert_valid(path: Path) -> None:
    """Assert that `warcio check` and `fastwarc check` have nothing to object to."""
    checker = Checker(Namespace(inputs=[str(path)], verbose=False))
    assert checker.process_all() == 0
    result = CliRunner().invoke(fastwarc.cli.main, ["check", "--quiet", str(path)])
    assert (result.exit_code, result.exception) == (0, None), result.output


def read_all(path: Path) -> list[Seen]:
    """Return the records of an archive."""
    found = []
    with path.open("rb") as stream:
        records = ArchiveIterator(stream)
        for record in records:
            fields = {name.lower(): value for name, value in record.rec_headers.headers}
            http = record.http_headers
            is_answer = http is not None and record.rec_type in {"response", "revisit"}
            status = http.get_statuscode() if is_answer else ""
            content_type = (http.get_header("Content-Type") or "") if is_answer else ""
            payload = record.content_stream().read()
            offset, length = records.get_record_offset(), records.get_record_length()
            found.append(Seen(offset, length, fields, status, content_type, payload))
    return found


def index_of(path: Path) -> list[str]:
    """Return the lines of CDXJ that an archive's answers have, as cdxj-indexer writes them."""
    lines = []
    for seen in read_all(path):
        if not seen.status:
            continue
        mime = seen.content_type.partition(";")[0].strip().lower() or "unk"
        value = {
            "url": seen.url,
            "mime": "warc/revisit" if seen.kind == "revisit" else mime,
            "status": seen.status,
            "digest": seen.fields["warc-payload-digest"],
            "length": str(seen.length),
            "offset": str(seen.offset),
            "filename": path.name,
        }
        digits = "".join(filter(str.isdigit, seen.fields["warc-date"]))
        lines.append(f"{surt(seen.url)} {digits[:14]} {json.dumps(value)}")
    return sorted(lines)
