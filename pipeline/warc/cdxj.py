"""Lines of CDXJ, the index of an archive that replay tools read: key, time, and a JSON value.

The key is the address as SURT, with the host's labels turned round, so that a site's lines stand
together when they are sorted; here without the canonicalisation of any one tool beyond lower case,
`www` and the order of the query, which is what pywb does by default.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

_WWW = re.compile(r"^www\d*\.")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def surt(url: str) -> str:
    """Return the sort-friendly key of a canonical address."""
    parts = urlsplit(url.lower())
    host = _WWW.sub("", parts.hostname or "")
    labels = host if host.startswith("[") or ":" in host else ",".join(reversed(host.split(".")))
    if parts.port is not None and parts.port != _DEFAULT_PORTS.get(parts.scheme):
        labels = f"{labels}:{parts.port}"
    path = parts.path.rstrip("/") or "/"
    query = "&".join(sorted(parts.query.split("&"))) if parts.query else ""
    return f"{labels}){path}{'?' + query if query else ''}"


def format_timestamp(time_seconds: float) -> str:
    """Return a time since the epoch in the 14 digits of an index."""
    return f"{datetime.fromtimestamp(time_seconds, UTC):%Y%m%d%H%M%S}"


def cdxj_line(
    url: str,
    time_seconds: float,
    *,
    mime: str,
    status: int,
    digest: str,
    offset: int,
    length: int,
    file_name: str,
) -> str:
    """Return the line of one record, without its end of line.

    Args:
        url: the record's address.
        time_seconds: when it was fetched, since the epoch.
        mime: of the page, without parameters; `warc/revisit` of a revisit.
        status: of the response.
        digest: of the payload, as the record names it.
        offset: of the record's member in the file.
        length: of the member, in bytes.
        file_name: of the archive, without its folder.
    """
    value = {
        "url": url,
        "mime": mime,
        "status": str(status),
        "digest": digest,
        "length": str(length),
        "offset": str(offset),
        "filename": file_name,
    }
    return f"{surt(url)} {format_timestamp(time_seconds)} {json.dumps(value)}"


def encode_cdxj(lines: Iterable[str]) -> bytes:
    """Return an index: lines in the order of their bytes."""
    return b"".join(line + b"\n" for line in sorted(line.encode() for line in lines))
