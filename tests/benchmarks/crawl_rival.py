"""The crawler that a user would write with Scrapy: every page of a web, bodies to disk, once each.

It runs in an environment of its own, which has Scrapy and not this project. Settings are those
that its documentation gives for broad crawls, with robots.txt obeyed: no logging, no cookies, no
retries, addresses of hosts cached, asyncio's reactor. Links are read by one XPath, which is faster
than its LinkExtractor. Bodies are appended to one file, with a line of JSON for each; it seals
nothing, writes no WARC, and forgets its frontier when it is stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import scrapy  # type: ignore[import-not-found]  # it is in an environment of its own
from scrapy.crawler import CrawlerProcess  # type: ignore[import-not-found]  # likewise
from scrapy.http import HtmlResponse  # type: ignore[import-not-found]  # likewise

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

ASYNCIO = "twisted.internet.asyncioreactor.AsyncioSelectorReactor"


class Rival(scrapy.Spider):  # type: ignore[misc]  # likewise
    """Follows every link."""

    name = "rival"

    def __init__(self, seed: str, folder: str) -> None:
        super().__init__()
        self._seed = seed
        self._bodies = (Path(folder) / "bodies").open("wb")
        self._index = (Path(folder) / "index.jsonl").open("w")

    async def start(self) -> AsyncIterator[Any]:
        """Begin at the seed."""
        yield scrapy.Request(self._seed)

    def parse(self, response: Any) -> Iterator[Any]:
        """Store a page, and follow its links."""
        line = [response.url, response.status, self._bodies.tell(), len(response.body)]
        self._bodies.write(response.body)
        self._index.write(json.dumps(line) + "\n")
        if isinstance(response, HtmlResponse):
            for reference in response.xpath("//a/@href").getall():
                yield scrapy.Request(response.urljoin(reference))

    def closed(self, _reason: str) -> None:
        """Write out what is left."""
        self._bodies.close()
        self._index.close()


def settings(connections: int, per_host: int) -> dict[str, Any]:
    """Return the settings of a broad crawl."""
    return {
        "CONCURRENT_REQUESTS": connections,
        "CONCURRENT_REQUESTS_PER_DOMAIN": per_host,
        "DOWNLOAD_DELAY": 0,
        "ROBOTSTXT_OBEY": True,
        "USER_AGENT": "rival/1.0 (+mailto:nobody@example.org)",
        "LOG_ENABLED": False,
        "TELNETCONSOLE_ENABLED": False,
        "COOKIES_ENABLED": False,
        "RETRY_ENABLED": False,
        "HTTPCACHE_ENABLED": False,
        "DNSCACHE_ENABLED": True,
        "REACTOR_THREADPOOL_MAXSIZE": 20,
        "TWISTED_REACTOR": ASYNCIO,
        # Breadth first, as its documentation puts it.
        "DEPTH_PRIORITY": 1,
        "SCHEDULER_DISK_QUEUE": "scrapy.squeues.PickleFifoDiskQueue",
        "SCHEDULER_MEMORY_QUEUE": "scrapy.squeues.FifoMemoryQueue",
    }


def main() -> None:
    """Crawl from a seed into a folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seed")
    parser.add_argument("folder")
    parser.add_argument("--connections", type=int, default=100)
    parser.add_argument("--per-host", type=int, default=1)
    options = parser.parse_args()
    process = CrawlerProcess(settings(options.connections, options.per_host))
    process.crawl(Rival, options.seed, options.folder)
    process.start()
    sys.stdout.write(json.dumps({"scrapy": scrapy.__version__}) + "\n")


if __name__ == "__main__":
    main()
