"""Inputs are found and read as they lie there: nobody decompresses behind the reader's back."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sealedbeam.pipeline.errors import UsageError
from sealedbeam.pipeline.filesystems import RemoteSource, expand_inputs, is_remote, open_source

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("suffix", ["warc", "warc.gz"])
def test_remote_reads_stored_bytes(tmp_path: Path, suffix: str) -> None:
    """Through Beam's filesystems a compressed file is read as it is stored, by position."""
    data = gzip.compress(b"0123456789" * 100)
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(data)
    source = RemoteSource(str(path), len(data))
    assert source.read(0, len(data)) == data
    assert source.read(5, 7) == data[5:12]
    assert source.read(len(data) - 2, 10) == data[-2:]


@given(st.integers(0, 60), st.integers(0, 60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_local_reads_by_position(tmp_path: Path, offset: int, length: int) -> None:
    """A read returns the bytes that are there, fewer only at the end."""
    data = bytes(range(50))
    path = tmp_path / "file"
    path.write_bytes(data)
    source = open_source(str(path))
    assert source.size == len(data)
    assert source.read(offset, length) == data[offset : offset + length]


def test_only_other_schemes_are_remote() -> None:
    """A path, and a path with the scheme of files, are local."""
    names = ["a.warc", "/a.warc", "file:///a.warc", "gs://a/b.warc", "s3://a/b.warc"]
    assert [is_remote(name) for name in names] == [False, False, False, True, True]


def test_file_scheme_names_a_local_file(tmp_path: Path) -> None:
    """file:// is taken off, so that one file has one name."""
    path = tmp_path / "a.warc"
    path.touch()
    assert expand_inputs([f"file://{path}", str(path)]) == [str(path)]


def test_name_with_glob_characters_is_a_name(tmp_path: Path) -> None:
    """A file whose name looks like a pattern is found under its name."""
    path = tmp_path / "crawl[1].warc"
    path.touch()
    assert expand_inputs([str(path)]) == [str(path)]


@pytest.mark.parametrize("name", ["gone.warc", "."])
def test_what_cannot_be_opened_is_named(tmp_path: Path, name: str) -> None:
    """A missing file, or a folder in a file's place, is an error of usage."""
    with pytest.raises(UsageError, match="cannot open input"):
        open_source(str(tmp_path / name))


def test_unknown_filesystem_is_an_error_of_usage() -> None:
    """What Beam cannot look up is told with the input's name."""
    with pytest.raises(UsageError, match="nowhere://a/b"):
        expand_inputs(["nowhere://a/b"])
