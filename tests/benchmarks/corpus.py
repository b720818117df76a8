"""Builds the benchmark's web archives out of the HTML that Debian's documentation packages ship.

The packages are fetched by `apt-get download` and unpacked by `dpkg-deb` into a cache folder:
nothing is installed and no root is needed. Pages are put in the order of the SHA-1 of their URL, so
that a small corpus is a fair sample of a large one, and dealt out to the archives one after another
so that these are alike. A corpus larger than the packages goes round them again, every page with
another host and one more line, so that no page repeats. The same packages always give the same
bytes.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import shutil
import subprocess
import sys
import uuid
import zlib
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path
from urllib.parse import quote

DEFAULT_CACHE = Path.home() / ".cache" / "sealedbeam-bench"
ARCHIVES = 4
COMPRESSION_LEVEL = 6
FETCHED_AT = "2024-01-01T00:00:00Z"
UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9}
# About 1.3 GB of HTML in 160 MB of downloads; several languages, sizes from 1 KB to 6 MB.
PACKAGES = (
    "apache2-doc",
    "cppreference-doc-en-html",
    "debian-policy",
    "erlang-doc",
    "libboost1.74-doc",
    "libreoffice-help-en-us",
    "libstdc++-12-doc",
    "lilypond-doc-html",
    "linux-doc-6.1",
    "openjdk-17-doc",
    "postgresql-doc-15",
    "python-django-doc",
    "python-scipy-doc",
    "python3.11-doc",
)


@dataclass(frozen=True, slots=True)
class SourcePage:
    """One HTML file: where it lies, its address in the archive, and which round it belongs to."""

    path: Path
    url: str
    length_bytes: int
    round_number: int = 0

    def in_round(self, number: int) -> SourcePage:
        """Return the page as it is in another round through all pages."""
        host = f"https://round-{number}."
        url = self.url.replace("https://", host, 1) if number else self.url
        return replace(self, url=url, round_number=number)

    def read(self) -> bytes:
        """Return the page's HTML."""
        extra = f"\n<p>Round {self.round_number}.</p>\n" if self.round_number else ""
        return self.path.read_bytes() + extra.encode()


@dataclass(frozen=True, slots=True)
class Corpus:
    """What was built; `digest` is the SHA-1 of the page contents in their order."""

    archives: tuple[str, ...]
    pages: int
    html_bytes: int
    stored_bytes: int
    digest: str


def parse_size(text: str) -> int:
    """Return the number of bytes that "100MB" or "1GB" means; units are powers of ten."""
    number, unit = text[:-2], text[-2:].upper()
    if unit not in UNITS or not number.isdigit() or int(number) == 0:
        raise ValueError(f"a size reads like 100MB or 1GB, not {text!r}")
    return int(number) * UNITS[unit]


def unpack_packages(cache: Path) -> list[Path]:
    """Return a folder for each of PACKAGES, fetching and unpacking what the cache lacks."""
    folders = []
    for name in PACKAGES:
        folder = cache / "unpacked" / name
        if not folder.exists():
            package = _fetch_package(name, cache / "packages")
            partial = folder.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            _call(["dpkg-deb", "-x", str(package), str(partial)], partial)
            partial.rename(folder)
        folders.append(folder)
    return folders


def _fetch_package(name: str, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    if not list(folder.glob(f"{name}_*.deb")):
        _call(["apt-get", "download", "-q", name], folder)
    return max(folder.glob(f"{name}_*.deb"))


def _call(command: list[str], folder: Path) -> None:
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        detail = getattr(error, "stderr", None) or str(error)
        raise SystemExit(
            f"{' '.join(command)} failed: {detail.strip()}\n"
            "The corpus is made of Debian 12 packages. Run `apt-get update` as root, try again,\n"
            "or unpack these elsewhere and pass the folder with --html:\n  " + " ".join(PACKAGES)
        ) from error


def find_pages(folders: list[Path]) -> list[SourcePage]:
    """Return every non-empty HTML file below `folders`, in the order of its URL's SHA-1."""
    pages = []
    for folder in folders:
        for path in folder.rglob("*.html*"):
            length_bytes = 0 if path.is_symlink() or not path.is_file() else path.stat().st_size
            if length_bytes and path.suffix != ".gz":
                place = quote(path.relative_to(folder).as_posix())
                pages.append(
                    SourcePage(path, f"https://{_host(folder.name)}/{place}", length_bytes)
                )
    return sorted(pages, key=lambda page: hashlib.sha1(page.url.encode()).digest())


def _host(package: str) -> str:
    return package.replace("+", "x").replace(".", "-").lower() + ".example"


def choose_pages(pages: list[SourcePage], html_bytes: int) -> list[SourcePage]:
    """Return the first of `pages`, as often round as it takes to hold at least `html_bytes`."""
    chosen: list[SourcePage] = []
    total = 0
    rounds = count() if pages else range(0)
    for page in (page.in_round(number) for number in rounds for page in pages):
        chosen.append(page)
        total += page.length_bytes
        if total >= html_bytes:
            break
    return chosen


def format_record(url: str, content_type: str, html: bytes) -> bytes:
    """Return one WARC response record, uncompressed."""
    http = (
        "HTTP/1.1 200 OK\r\n"
        "Date: Mon, 01 Jan 2024 00:00:00 GMT\r\n"
        "Server: Apache\r\n"
        f"Content-Type: {content_type}\r\n"
        f"Content-Length: {len(html)}\r\n"
        "Connection: close\r\n\r\n"
    ).encode()
    digest = base64.b32encode(hashlib.sha1(html).digest()).decode()
    header = (
        "WARC/1.0\r\n"
        "WARC-Type: response\r\n"
        f"WARC-Record-ID: <urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, url)}>\r\n"
        f"WARC-Date: {FETCHED_AT}\r\n"
        f"WARC-Target-URI: {url}\r\n"
        f"WARC-Payload-Digest: sha1:{digest}\r\n"
        "Content-Type: application/http; msgtype=response\r\n"
        f"Content-Length: {len(http) + len(html)}\r\n\r\n"
    ).encode()
    return b"".join((header, http, html, b"\r\n\r\n"))


def compress_member(content: bytes) -> bytes:
    """Return `content` as one gzip member whose header names no time and no file."""
    packer = zlib.compressobj(COMPRESSION_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


def _content_type(path: Path) -> str:
    # Apache's manual names the charset last: index.html.ja.utf8, index.html.fr.
    charset = {".utf8": "; charset=utf-8", ".euc-kr": "; charset=euc-kr"}.get(path.suffix, "")
    return f"text/html{charset}"


def write_archives(pages: list[SourcePage], folder: Path) -> Corpus:
    """Write `pages` to ARCHIVES files in `folder` and return what they hold."""
    folder.mkdir(parents=True)
    paths = [folder / f"corpus-{number:02d}.warc.gz" for number in range(ARCHIVES)]
    files = [path.open("wb") for path in paths]
    written = [0] * ARCHIVES
    digest = hashlib.sha1()
    for page in pages:
        html = page.read()
        digest.update(html)
        target = written.index(min(written))  # even by HTML bytes, which is what costs time
        files[target].write(
            compress_member(format_record(page.url, _content_type(page.path), html))
        )
        written[target] += len(html)
    for file in files:
        file.close()
    names = tuple(path.name for path in paths)
    stored_bytes = sum(path.stat().st_size for path in paths)
    return Corpus(names, len(pages), sum(written), stored_bytes, digest.hexdigest())


def build_corpus(size: str, cache: Path, html: Path | None = None) -> tuple[list[Path], Corpus]:
    """Return the archives that hold `size` of HTML and their description, building them once."""
    folder = cache / f"warc-{size.upper()}"
    if not (folder / "corpus.json").exists():
        folders = unpack_packages(cache) if html is None else [html]
        pages = choose_pages(find_pages(folders), parse_size(size))
        if not pages:
            raise SystemExit(f"no HTML below {', '.join(map(str, folders))}")
        shutil.rmtree(folder, ignore_errors=True)
        corpus = write_archives(pages, folder)
        (folder / "corpus.json").write_text(json.dumps(asdict(corpus), indent=1) + "\n")
    described = json.loads((folder / "corpus.json").read_text())
    corpus = Corpus(**{**described, "archives": tuple(described["archives"])})
    return [folder / name for name in corpus.archives], corpus


def main(arguments: list[str] | None = None) -> None:
    """Build one corpus and print what it holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="100MB", help="HTML in all: 100MB, 1GB")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE)
    parser.add_argument("--html", type=Path, help="a folder of HTML to use instead of packages")
    options = parser.parse_args(arguments)
    paths, corpus = build_corpus(options.size, options.cache, options.html)
    sys.stdout.write(json.dumps(asdict(corpus), indent=1) + f"\n{paths[0].parent}\n")


if __name__ == "__main__":
    main()
