"""Reads small Parquet files whole, in the calling thread, once their bytes have been checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .errors import Buffer


def read_checked(data: Buffer, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the table, or some columns of it, in a file whose bytes were checked before.

    In this thread alone, which `pq.read_table` cannot promise: a thread of Arrow's that was still
    at work when the process ended made it abort, once in some hundred runs.
    """
    source = pa.BufferReader(data)
    with pq.ParquetFile(source, page_checksum_verification=True, pre_buffer=False) as file:
        return file.read(columns=columns and list(columns), use_threads=False)
