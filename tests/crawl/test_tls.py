"""A server is believed only with a certificate of its own name that a trusted root has signed."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta

import pytest
import trustme
from sealedbeam.pipeline.crawl.addresses import parse_networks
from sealedbeam.pipeline.crawl.fetch import Exchange, Fetcher, FetchLimits
from sealedbeam.pipeline.crawl.frontier import Row, State
from sealedbeam.pipeline.crawl.hosts import HostRow
from sealedbeam.pipeline.crawl.resolver import PinnedResolver
from sealedbeam.pipeline.crawl.visitor import Answer, AnswerKind
from sealedbeam.pipeline.crawl.visits import Schedule, settle

from tests.support.odd_server import odd_server, say

HOST = "good.example"
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\npage"
LIMITS = FetchLimits(connect_seconds=5, head_seconds=5, idle_seconds=5, body_seconds=5)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return a root that the crawler of these tests trusts."""
    return trustme.CA()


def fetch(certificate: trustme.LeafCert, trusted: trustme.CA) -> Exchange:
    """Return the exchange with a server that shows a certificate."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(server)
    client = ssl.create_default_context()
    trusted.configure_trust(client)

    async def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    async def run() -> Exchange:
        resolver = PinnedResolver(parse_networks(["127.0.0.0/8"]), resolve)
        async with (
            odd_server({"/": say(PAGE)}, tls=server) as base,
            Fetcher("test/1.0", resolver, LIMITS, client) as fetcher,
        ):
            return await fetcher.fetch(f"https://{HOST}:{base.rpartition(':')[2]}/")

    return asyncio.run(run())


def test_a_good_certificate_is_accepted(authority: trustme.CA) -> None:
    """Of the right name, within its time, by a trusted root."""
    exchange = fetch(authority.issue_cert(HOST), authority)
    assert (exchange.status, exchange.body, exchange.error) == (200, b"page", "")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("other name", "tls_wrong_host"),
        ("expired", "tls_expired"),
        ("not yet valid", "tls_not_yet_valid"),
        ("other root", "tls_untrusted"),
        ("signed by itself", "tls_untrusted"),
    ],
)
def test_any_other_is_refused(authority: trustme.CA, fault: str, reason: str) -> None:
    """Nothing is asked of the server; the address has failed, with the reason."""
    now = datetime.now(UTC)
    days = timedelta(days=1)
    certificates = {
        "other name": lambda: authority.issue_cert("bad.example"),
        "expired": lambda: authority.issue_cert(HOST, not_after=now - days),
        "not yet valid": lambda: authority.issue_cert(HOST, not_before=now + days),
        "other root": lambda: trustme.CA().issue_cert(HOST),
        "signed by itself": _sign_itself,
    }
    exchange = fetch(certificates[fault](), authority)
    assert (exchange.status, exchange.error, exchange.request_head) == (0, reason, b"")
    answer = Answer(AnswerKind.PAGE, exchange.url, HOST, exchange)
    visit = settle(Row(exchange.url, HOST), answer, Schedule(), HostRow(HOST)).visit
    assert (visit.state, visit.reason, visit.attempts) == (State.FAILED, reason, 1)


def _sign_itself() -> trustme.LeafCert:
    """Return a certificate that is its own root."""
    root = trustme.CA()
    return trustme.LeafCert(root.private_key_pem.bytes(), root.cert_pem.bytes(), [])
