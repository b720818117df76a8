"""The files of the page: read once, served by name, and told apart by a digest of their bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

STATIC = Path(__file__).parent / "static"
INDEX = "index.html"
_DIGITS = 32
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
}
_OTHER_TYPE = "text/plain; charset=utf-8"  # licences and readmes


class StaticFile(NamedTuple):
    """A file's bytes, what they are, and the tag by which a browser knows that it has them."""

    data: bytes
    content_type: str
    etag: str


def load_files(folder: Path = STATIC) -> dict[str, StaticFile]:
    """Return the files of a folder by their names in it; links are left out."""
    return {
        path.relative_to(folder).as_posix(): _load(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def _load(path: Path) -> StaticFile:
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()[:_DIGITS]
    return StaticFile(data, _TYPES.get(path.suffix, _OTHER_TYPE), f'"{digest}"')
