"""Objects appear whole under their names or not at all, and nothing of an attempt stays behind."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest
from sealedbeam.pipeline.jobs.store import TEMPORARY_SUFFIX, Store, content_name, storage_error

if TYPE_CHECKING:
    from pathlib import Path


def files_of(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """An object has the bytes that it was given, whole or by range, and can be replaced."""
    store = Store(tmp_path)
    store.write("a/b", b"first")
    store.write("a/b", memoryview(b"0123456789"))
    assert store.read("a/b") == b"0123456789"
    assert store.read("a/b", 3, 4) == b"3456"
    assert store.read("a/b", 8) == b"89"
    assert [store.exists(path) for path in ("a/b", "a", "a/c")] == [True, False, False]


def test_removing_twice_is_no_error(tmp_path: Path) -> None:
    """An object that is not there is removed already."""
    store = Store(tmp_path)
    store.write("a", b"x")
    store.remove("a")
    store.remove("a")
    assert files_of(tmp_path) == []


def test_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the bytes cannot be made durable, neither the object nor a part of it stays."""
    store = Store(tmp_path)
    store.write("folder/object", b"old")

    def fail(descriptor: int) -> None:
        raise OSError(28, f"no space left for {descriptor}")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space left"):
        store.write("folder/object", b"new")
    assert files_of(tmp_path) == ["folder/object"]
    assert store.read("folder/object") == b"old"


def test_removed_root_does_not_come_back_in_part(tmp_path: Path) -> None:
    """When the output folder is gone nothing is written, and the error names the object."""
    store = Store(tmp_path / "gone")
    for path in ("folder/object", "object"):
        with pytest.raises(FileNotFoundError, match=rf"gone/{path}'$"):
            store.write(path, b"x")
    assert files_of(tmp_path) == []


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EFBIG, "ulimit -f"),
        (errno.ELOOP, "put that right"),
    ],
)
def test_storage_error_tells_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, remedy: str
) -> None:
    """What the system refuses is told with the object, the reason and the next step."""

    def fail(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="object") as caught:
        Store(tmp_path).write("object", b"x")
    told = storage_error(caught.value)
    assert f"{tmp_path}/object: {os.strerror(number)}; " in str(told)
    assert f"{remedy}" in str(told)
    assert str(told).endswith("and run the same command again")
    assert told.exit_code == 1


def test_object_appears_only_when_it_is_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the moment of the sync the bytes lie under an attempt's name; two attempts differ."""
    seen: list[list[str]] = []
    sync = os.fsync

    def watch(descriptor: int) -> None:
        seen.append(files_of(tmp_path))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", watch)
    stores = Store(tmp_path), Store(tmp_path)
    for store in stores:
        store.write("object", b"x")
    temporary = [name for names in seen for name in names if name.endswith(TEMPORARY_SUFFIX)]
    assert "object" not in seen[0]
    assert len(set(temporary)) == len(stores)
    assert files_of(tmp_path) == ["object"]


def test_sweep_keeps_what_was_committed(tmp_path: Path) -> None:
    """What earlier attempts left goes, hidden or not, and with it folders that are empty then."""
    store = Store(tmp_path)
    for path in ("a/kept", "a/loser", f"a/.kept.1{TEMPORARY_SUFFIX}", "b/loser", "c/foreign"):
        store.write(path, b"x")
    store.write("summary.json", b"{}")
    (tmp_path / f".summary.json.2{TEMPORARY_SUFFIX}").write_bytes(b"{")
    store.sweep({"a/kept"}, ("a", "b", "absent"))
    assert files_of(tmp_path) == ["a/kept", "c/foreign", "summary.json"]
    assert not (tmp_path / "b").exists()


def test_name_follows_from_the_content() -> None:
    """Equal bytes have equal names, other bytes have others; the name says whose it is."""
    first = content_name("documents", "part-00000", "parquet", b"x")
    assert first == content_name("documents", "part-00000", "parquet", memoryview(b"x"))
    assert first != content_name("documents", "part-00000", "parquet", b"y")
    assert first.startswith("documents/part-00000.")
    assert first.endswith(".parquet")
