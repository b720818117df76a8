"""The requests to S3: those of boto3, by the client that Beam's filesystem makes."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

# Beam's module loads without boto3, and fails when it is used.
import boto3  # noqa: F401 - see above
from apache_beam.io.aws.clients.s3.boto3_client import Client as BeamClient
from apache_beam.options.pipeline_options import PipelineOptions
from botocore.exceptions import (
    ClientError,
    IncompleteReadError,
    ReadTimeoutError,
)

from .integrity.checksum import crc32c

if TYPE_CHECKING:
    from collections.abc import Iterator

_RANGE_NOT_SATISFIABLE = 416
_READS_MAX = 3
_BROKEN = (IncompleteReadError, ReadTimeoutError, ConnectionError)


class S3Client:
    """S3, or what speaks like it."""

    def __init__(self, client: Any) -> None:
        """Ask through a client of boto3."""
        self._client = client

    def read(self, bucket: str, key: str, offset: int, length: int | None) -> bytes:
        """Return a range of an object; a connection that breaks meanwhile is made again."""
        place = {"Bucket": bucket, "Key": key}
        if offset or length is not None:
            last = "" if length is None else offset + length - 1
            place["Range"] = f"bytes={offset}-{last}"
        for attempt in range(1, _READS_MAX + 1):
            try:
                data: bytes = self._client.get_object(**place)["Body"].read()
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] == _RANGE_NOT_SATISFIABLE:
                    break
                raise
            except _BROKEN:
                if attempt == _READS_MAX:
                    raise
            else:
                return data
        return b""

    def size(self, bucket: str, key: str) -> int:
        """Return the size of an object in bytes."""
        return int(self._client.head_object(Bucket=bucket, Key=key)["ContentLength"])

    def write(self, bucket: str, key: str, data: bytes, *, only_new: bool) -> None:
        """Make `data` an object, which S3 takes only if it has the CRC-32C that was computed here.

        `only_new` leaves one that is there alone.
        """
        crc = base64.b64encode(crc32c(data).to_bytes(4, "big")).decode()
        condition = {"IfNoneMatch": "*"} if only_new else {}
        self._client.put_object(Bucket=bucket, Key=key, Body=data, ChecksumCRC32C=crc, **condition)

    def remove(self, bucket: str, key: str) -> None:
        """Remove an object."""
        self._client.delete_object(Bucket=bucket, Key=key)

    def list(self, bucket: str, prefix: str) -> Iterator[str]:
        """Yield the keys that begin with `prefix`."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for page in pages:
            for found in page.get("Contents", ()):
                yield found["Key"]


def open_s3() -> S3Client:
    """Return a client with Beam's defaults and what the environment says."""
    # Without arguments the options would be read from the command line.
    return S3Client(BeamClient(PipelineOptions([])).client)
