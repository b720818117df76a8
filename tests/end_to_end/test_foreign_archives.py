"""Archives that other programs have made go into an index as they are."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from sealedbeam.pipeline.index.search import Index
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from tests.support.jobs import Job

WGET = Path(__file__).parents[1] / "warc" / "wget.warc.gz"
"""What GNU Wget 1.21 made of three generated pages and a missing robots.txt (`--warc-file`)."""


def test_an_archive_made_by_wget(tmp_path: Path) -> None:
    """Each of its pages is found, its log is no page, and no digest of it is missed or bad."""
    job = Job.make(tmp_path, [WGET])
    summary = job.run_here().summary
    assert (summary["status"], summary["pages"]["indexed"]) == ("complete", 3)
    assert summary["pages"]["rejected"] == {"http_status": 1}
    assert summary["inputs"]["damaged_regions"] == summary["inputs"]["digest_bad"] == 0
    index = Index.open(job.output)
    for number in range(3):
        (hit,) = index.search(f"only0x{number}", 10).hits
        assert hit.url.endswith(f"/{number}")


class _Writer(WARCWriter):  # type: ignore[misc]  # it is untyped
    """A writer that leaves no file open."""

    @staticmethod
    def _create_temp_file() -> BytesIO:
        return BytesIO()


def common_crawl(path: Path, words: list[str]) -> None:
    """Write an archive in Common Crawl's layout, by another library.

    Its records, in its order: warcinfo, then for each page request, response, metadata. Bodies are
    stored decoded, and the fields that told of codings have another name.
    """
    with path.open("wb") as file:
        writer = _Writer(file, gzip=True)
        info = {"isPartOf": "CC-MAIN-2026-40", "software": "Apache Nutch 1.20 (modified)"}
        writer.write_record(writer.create_warcinfo_record(path.name, info))
        for number, word in enumerate(words):
            url = f"https://site-{number}.example/"
            page = f"<html><title>{word}</title><body>about {word}</body></html>".encode()
            fields = [
                ("Content-Type", "text/html; charset=UTF-8"),
                ("X-Crawler-Content-Encoding", "gzip"),
                ("X-Crawler-Transfer-Encoding", "chunked"),
                ("Content-Length", str(len(page))),
            ]
            answer = StatusAndHeaders("200 OK", fields, protocol="HTTP/1.1")
            identified = {"WARC-Identified-Payload-Type": "text/html"}
            response = writer.create_warc_record(
                url, "response", BytesIO(page), http_headers=answer, warc_headers_dict=identified
            )
            agent = [("User-Agent", "CCBot/2.0")]
            asked = StatusAndHeaders("GET / HTTP/1.1", agent, is_http_request=True)
            request = writer.create_warc_record(url, "request", BytesIO(), http_headers=asked)
            told = b"fetchTimeMs: 90\r\ncharset-detected: UTF-8\r\nlanguages-cld2: {}\r\n\r\n"
            metadata = writer.create_warc_record(
                url, "metadata", BytesIO(told), warc_content_type="application/warc-fields"
            )
            for record in (request, response, metadata):
                writer.write_record(record)


def test_an_archive_in_the_layout_of_common_crawl(tmp_path: Path) -> None:
    """Its pages are found; requests and metadata are none; every digest is good."""
    archive = tmp_path / "CC-MAIN-20261001000000-00000.warc.gz"
    words = ["neutron", "parity", "syndrome"]
    common_crawl(archive, words)
    job = Job.make(tmp_path, [archive])
    summary = job.run_here().summary
    assert (summary["status"], summary["pages"]["indexed"]) == ("complete", 3)
    assert (summary["pages"]["read"], summary["inputs"]["digest_good"]) == (3, 1 + 3 * 3)
    assert summary["inputs"]["digest_bad"] == summary["inputs"]["damaged_regions"] == 0
    index = Index.open(job.output)
    for number, word in enumerate(words):
        (hit,) = index.search(word, 10).hits
        assert hit.url == f"https://site-{number}.example/"
