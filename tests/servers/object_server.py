"""An S3 on the loopback (moto's), which can be told to strike at the n-th request that changes it.

    with S3Server.running() as server:
        server.strike(3, kill)     # called after the third change, before its answer is sent
        server.objects("bucket")   # what lies there now

Every change of a store is one request, so a process that is killed at each of them has been killed
between any two.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_CHANGES = frozenset({"PUT", "POST", "DELETE"})
_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class _Handler(WSGIRequestHandler):
    # Clients ask whether they may send a body, and wait a second for one that speaks HTTP/1.0.
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer waits 40 ms for an acknowledgement

    def log(self, *_: Any) -> None:
        """Print nothing."""


@dataclass
class S3Server:
    """A running server.

    Attributes:
        url: where it is.
        changes: how many requests have changed it since the last call of `strike`.
    """

    url: str = ""
    changes: int = 0
    _at: int = 0
    _act: Callable[[], None] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[S3Server]:
        """Run a server in threads of this process."""
        found = cls()
        application = DomainDispatcherApplication(create_backend_app)

        def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            body = list(application(environ, start_response))
            if environ["REQUEST_METHOD"] in _CHANGES:
                found._count()
            return body

        server = make_server("127.0.0.1", 0, answer, threaded=True, request_handler=_Handler)
        found.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def strike(self, at: int, act: Callable[[], None]) -> None:
        """Call `act` once, after the change number `at` from now and before its answer."""
        with self._lock:
            self.changes, self._at, self._act = 0, at, act

    def _count(self) -> None:
        with self._lock:
            self.changes += 1
            act = self._act if self.changes == self._at else None
        if act is not None:
            act()

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which a client finds the server."""
        return _CREDENTIALS | {"AWS_ENDPOINT_URL": self.url}

    def client(self) -> Any:
        """Return a client of boto3."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def objects(self, bucket: str) -> dict[str, bytes]:
        """Return all objects of a bucket."""
        client = self.client()
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        keys = [found["Key"] for page in pages for found in page.get("Contents", ())]
        return {key: client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}
