"""Inputs are found and read as they lie there: nobody decompresses behind the reader's back."""

from __future__ import annotations

import gzip
import os
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


@pytest.mark.parametrize("name", ["pipe.warc", "/dev/zero", "/dev/null"])
def test_what_cannot_be_read_twice_is_refused(tmp_path: Path, name: str) -> None:
    """A pipe or a device is refused without being opened, by itself and in a folder."""
    os.mkfifo(tmp_path / "pipe.warc")
    with pytest.raises(UsageError, match="an archive is read more than once, so save it"):
        open_source(str(tmp_path / name))
    assert expand_inputs([str(tmp_path)]) == [str(tmp_path / "pipe.warc")]


def test_file_of_several_names_is_taken_once(tmp_path: Path) -> None:
    """However a file is spelled or linked to, it is one input, under the name given first."""
    path = tmp_path / "a.warc"
    path.touch()
    (tmp_path / "b.warc").symlink_to(path)
    (tmp_path / "self").symlink_to(tmp_path)
    names = [f"{tmp_path}/./a.warc", str(tmp_path), f"{tmp_path}/self/*.warc", f"file://{path}"]
    assert expand_inputs(names) == names[:1]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("crawl-1.warc.gs", "did you mean .*/crawl-1.warc.gz?"),
        ("else.txt", "give a WARC file, a glob, or a folder that holds"),
        ("none", "in this folder and below is no "),
        ("gone/a.warc", "give a WARC file"),
        ("a" * 300, "File name too long"),
        ("loop", "Too many levels of symbolic links"),
    ],
)
def test_absence_is_explained(tmp_path: Path, pattern: str, said: str) -> None:
    """What is not there is named, with what may have been meant or what to give."""
    (tmp_path / "crawl-1.warc.gz").touch()
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "notes.txt").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(UsageError, match=said) as caught:
        open_source(*expand_inputs([str(tmp_path / pattern)]))
    assert pattern in str(caught.value)


def test_link_to_nothing_in_a_folder_is_not_passed_over(tmp_path: Path) -> None:
    """An archive of a folder that cannot be opened is told, and not left out in silence."""
    (tmp_path / "a.warc").touch()
    (tmp_path / "b.warc").symlink_to(tmp_path / "gone")
    found = expand_inputs([str(tmp_path)])
    assert found == [str(tmp_path / "a.warc"), str(tmp_path / "b.warc")]
    with pytest.raises(UsageError, match=r"b\.warc: No such file"):
        open_source(found[1])


def test_folder_that_cannot_be_read_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever lies in it would be missing without a word: the folder is named."""
    (tmp_path / "a.warc").touch()
    (tmp_path / "locked").mkdir()
    scan = os.scandir

    def refuse(path: str) -> object:
        if path.endswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)  # root may read everything
    with pytest.raises(UsageError, match="locked: Permission denied"):
        expand_inputs([str(tmp_path)])
