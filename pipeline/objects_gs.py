"""The requests to Google Cloud Storage, by the client that Beam's filesystem makes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from apache_beam.io.gcp.gcsio import create_storage_client
from apache_beam.options.pipeline_options import PipelineOptions
from google.api_core import exceptions  # type: ignore[import-untyped]  # untyped
from google.cloud.storage.retry import DEFAULT_RETRY  # type: ignore[import-untyped]  # untyped

if TYPE_CHECKING:
    from collections.abc import Iterator

_TYPE = "application/octet-stream"


class GoogleClient:
    """Google Cloud Storage."""

    def __init__(self, client: Any) -> None:
        """Ask through a client of google.cloud.storage."""
        self._client = client

    def read(self, bucket: str, key: str, offset: int, length: int | None) -> bytes:
        """Return a range of an object."""
        last = None if length is None else offset + length - 1
        try:
            data: bytes = self._blob(bucket, key).download_as_bytes(
                start=offset or None, end=last, raw_download=True
            )
        except exceptions.RequestRangeNotSatisfiable:
            return b""
        return data

    def size(self, bucket: str, key: str) -> int:
        """Return the size of an object in bytes."""
        blob = self._blob(bucket, key)
        blob.reload()
        return int(blob.size)

    def write(self, bucket: str, key: str, data: bytes, *, only_new: bool) -> None:
        """Make `data` an object, which is taken only if it has the CRC-32C that was computed here.

        `only_new` leaves one that is there alone.
        """
        # The same bytes once more do no harm, so that a lost answer may be asked for again.
        self._blob(bucket, key).upload_from_string(
            data,
            content_type=_TYPE,
            checksum="crc32c",
            if_generation_match=0 if only_new else None,
            retry=DEFAULT_RETRY,
        )

    def remove(self, bucket: str, key: str) -> None:
        """Remove an object."""
        self._blob(bucket, key).delete(retry=DEFAULT_RETRY)

    def list(self, bucket: str, prefix: str) -> Iterator[str]:
        """Yield the keys that begin with `prefix`."""
        for blob in self._client.list_blobs(bucket, prefix=prefix):
            yield blob.name

    def _blob(self, bucket: str, key: str) -> Any:
        return self._client.bucket(bucket).blob(key)


def open_gs() -> GoogleClient:
    """Return a client with Beam's defaults and what the environment says."""
    # Without arguments the options would be read from the command line. An emulator asks for no
    # credentials, which would be looked for half a minute long.
    options = ["--no_auth"] if "STORAGE_EMULATOR_HOST" in os.environ else []
    return GoogleClient(create_storage_client(PipelineOptions(options)))
