"""The script a user would write without this project: FastWARC, selectolax and tantivy.

It reads HTML responses, takes title and visible text by lexbor, and indexes both with positions;
URL, title and text are stored. The archives are dealt out to worker processes, each with an index
of its own, as fast as the three libraries go. It checks nothing, counts nothing, resumes nothing
and stops at the first damaged record: that is the price list it is compared with.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from pathlib import Path

import tantivy
from fastwarc.warc import ArchiveIterator, WarcRecordType
from selectolax.lexbor import LexborHTMLParser

# Measured as the fastest on two cores; see README.md.
WORKERS = 2
THREADS = 1
HEAP_MB = 256


def make_schema() -> tantivy.Schema:
    """Return the schema: url stored, title and text stored and indexed with positions."""
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("url", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("title", stored=True, index_option="position")
    builder.add_text_field("text", stored=True, index_option="position")
    return builder.build()


def extract_text(html: bytes) -> tuple[str, str]:
    """Return the title and the visible text of a page."""
    tree = LexborHTMLParser(html)
    tree.strip_tags(["script", "style"])
    title = tree.css_first("title")
    text = tree.body.text(separator=" ") if tree.body else ""
    return (title.text() if title else ""), text


def index_archives(paths: list[str], folder: str, threads: int, heap_mb: int) -> int:
    """Index the pages of `paths` into a new tantivy index; returns how many there were."""
    Path(folder).mkdir(parents=True)
    index = tantivy.Index(make_schema(), path=folder)
    writer = index.writer(heap_size=heap_mb * 10**6, num_threads=threads)
    pages = 0
    for path in paths:
        with Path(path).open("rb") as stream:
            for record in ArchiveIterator(stream, record_types=WarcRecordType.response):
                title, text = extract_text(record.reader.read())
                document = tantivy.Document()
                document.add_text("url", record.headers["WARC-Target-URI"])
                document.add_text("title", title)
                document.add_text("text", text)
                writer.add_document(document)
                pages += 1
    writer.commit()
    writer.wait_merging_threads()
    return pages


def main(arguments: list[str] | None = None) -> None:
    """Index archives in worker processes and print the number of pages as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archives", nargs="+")
    parser.add_argument("--output", required=True)
    parser.add_argument("--workers", type=int, default=WORKERS)
    parser.add_argument("--threads", type=int, default=THREADS, help="tantivy's, per process")
    parser.add_argument("--heap-mb", type=int, default=HEAP_MB, help="tantivy's, per process")
    options = parser.parse_args(arguments)
    shares = [
        (options.archives[k :: options.workers], f"{options.output}/index-{k}")
        for k in range(options.workers)
    ]
    tasks = [(paths, folder, options.threads, options.heap_mb) for paths, folder in shares]
    with multiprocessing.get_context("fork").Pool(options.workers) as pool:
        pages = sum(pool.starmap(index_archives, tasks, chunksize=1))
    sys.stdout.write(json.dumps({"pages": pages}) + "\n")


if __name__ == "__main__":
    main()
