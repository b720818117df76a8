"""Claims about protection and repair: files are made again to the byte, or nothing changes."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.manifest import COPY_NAME, FILE_NAME
from sealedbeam.pipeline.storage.history import append_history
from sealedbeam.pipeline.storage.parity import (
    PARITY_COPY,
    PARITY_FILE,
    Scheme,
    decode_parity_file,
    encode_parity_file,
)
from sealedbeam.pipeline.storage.protect import protect
from sealedbeam.pipeline.storage.scrub import Options, scrub

from tests.support.stored_output import damage, small_output, snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sealedbeam.pipeline.storage.parity import Parity

SIZES = (30_000, 21_000, 20_999, 9_000, 4_096, 1, 0)
SCHEME = Scheme(4, 2)
SCRUB = "sealedbeam.pipeline.storage.scrub"
REPAIR = Options(repair=True)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("protected")
    small_output(root, SIZES)
    assert scrub(root, Options(protect=SCHEME)).protected
    yield root
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def whole(original: Path) -> dict[str, bytes]:
    return snapshot(original)


@pytest.fixture
def root(original: Path, tmp_path: Path) -> Path:
    return shutil.copytree(original, tmp_path / "index")


def parity_of(root: Path) -> Parity:
    return decode_parity_file((root / PARITY_FILE).read_bytes())


def test_protection_leaves_the_output_as_it_was(tmp_path: Path) -> None:
    """Parity and copies come beside the files; made twice they are the same bytes."""
    small_output(tmp_path, SIZES)
    before = snapshot(tmp_path)
    scrub(tmp_path, Options(protect=SCHEME))
    after = snapshot(tmp_path)
    added = after.keys() - before.keys()
    assert before == {path: after[path] for path in before}
    assert all(path.startswith("parity/") or path == COPY_NAME for path in added)
    assert after[FILE_NAME] == after[COPY_NAME]
    assert after[PARITY_FILE] == after[PARITY_COPY]
    shutil.rmtree(tmp_path / "parity")
    scrub(tmp_path, Options(protect=SCHEME, workers=3))
    assert after == snapshot(tmp_path)


def test_another_scheme_replaces_the_parity(root: Path) -> None:
    """Parity that was there goes with its files; the same scheme again changes nothing."""
    before = snapshot(root)
    report = scrub(root, Options(protect=SCHEME))
    assert (report.protected, snapshot(root)) == (False, before)
    report = scrub(root, Options(protect=Scheme(3, 1)))
    assert (report.protected, report.parity, report.is_clean) == (True, "3+1", True)
    members = parity_of(root).members
    kept = {path for path in snapshot(root) if path.startswith("parity/")}
    assert kept == {PARITY_FILE, PARITY_COPY, *(p for p in members if p.startswith("parity/"))}
    assert scrub(root, Options()).is_clean


def test_each_group_survives_the_loss_of_any_two(root: Path, whole: dict[str, bytes]) -> None:
    """Whichever two files of a group are removed, data or parity, they come back to the byte."""
    for group in parity_of(root).groups:
        paths = [member.path for member in group.members]
        for first, second in zip(paths, paths[1:] + paths[:1], strict=True):
            (root / first).unlink()
            (root / second).unlink()
            report = scrub(root, REPAIR)
            assert sorted(finding.path for finding in report.findings) == sorted((first, second))
            assert report.is_clean
            assert whole == snapshot(root)


def test_three_lost_files_of_a_group_change_nothing(root: Path) -> None:
    """What cannot be made again is named with the reason, and nothing is touched."""
    paths = [member.path for member in parity_of(root).groups[0].data[:3]]
    for path in paths:
        (root / path).unlink()
    before = snapshot(root)
    report = scrub(root, REPAIR)
    assert not report.is_clean
    assert [finding.path for finding in report.findings] == sorted(paths)
    assert all("more than 2 of the group's 6 files" in found.repair for found in report.findings)
    assert before == snapshot(root)


@settings(max_examples=15)
@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 7), st.integers(0, 4095), st.integers(1, 9000)),
        min_size=1,
        max_size=7,
    )
)
def test_damage_is_repaired_where_a_stripe_has_no_more_than_two(
    original: Path,
    whole: dict[str, bytes],
    tmp_path_factory: pytest.TempPathFactory,
    holes: list[tuple[int, int, int, int]],
) -> None:
    """A file is repaired if and only if no stripe of its damaged strips has more than 2."""
    root = tmp_path_factory.mktemp("any") / "index"
    shutil.copytree(original, root)
    group = parity_of(root).groups[0]
    assert group.strip_bytes == 4096
    bad: set[tuple[int, int]] = set()
    for number, strip, offset, length in holes:
        member = group.members[number]
        start, end = strip * 4096 + offset, strip * 4096 + offset + length
        damage(root / member.path, start, length)
        bad |= {(number, byte // 4096) for byte in range(start, min(end, member.size_bytes))}
    now = snapshot(root)
    truly = {
        (number, strip)
        for number, strip in bad
        if now[group.members[number].path][strip * 4096 : (strip + 1) * 4096]
        != whole[group.members[number].path][strip * 4096 : (strip + 1) * 4096]
    }
    beyond = {strip for _, strip in truly if sum(other == strip for _, other in truly) > 2}
    lost = {group.members[number].path for number, strip in truly if strip in beyond}
    report = scrub(root, REPAIR)
    assert {finding.path for finding in report.findings if finding.is_open} == lost
    assert {path: now[path] if path in lost else data for path, data in whole.items()} == snapshot(
        root
    )
    shutil.rmtree(root)


@pytest.mark.parametrize("change", ["cut", "empty", "longer", "link"])
def test_wrong_shape_is_repaired(root: Path, whole: dict[str, bytes], change: str) -> None:
    """A file that was cut, emptied or grown, or is a link to something else, is made again."""
    path = root / parity_of(root).groups[0].data[0].path
    data = path.read_bytes()
    if change == "link":
        path.unlink()
        path.symlink_to(root / "summary.json")
    else:
        path.write_bytes({"cut": data[:-1], "empty": b"", "longer": data + b"\0"}[change])
    assert scrub(root, REPAIR).is_clean
    assert whole == snapshot(root)


def test_what_cannot_be_replaced_stops_nothing_else(root: Path, whole: dict[str, bytes]) -> None:
    """A folder in the place of a file is named and left; the next file is repaired."""
    first, second = (root / member.path for member in parity_of(root).groups[0].data[:2])
    first.unlink()
    first.mkdir()
    second.unlink()
    report = scrub(root, REPAIR)
    named = {root / finding.path: finding.repair for finding in report.findings}
    assert "Is a directory" in named[first]
    assert named[second] == "done"
    first.rmdir()
    assert scrub(root, REPAIR).is_clean
    assert whole == snapshot(root)


@pytest.mark.parametrize("lost", [(FILE_NAME,), (COPY_NAME,), (FILE_NAME, COPY_NAME)])
def test_manifest_is_repaired(root: Path, whole: dict[str, bytes], lost: tuple[str, ...]) -> None:
    """Lost copies of the manifest come back from the other one, or both from the group."""
    for path in lost:
        (root / path).unlink()
    damage(root / parity_of(root).groups[0].data[0].path, 5)
    assert not scrub(root, Options()).is_clean
    assert scrub(root, REPAIR).is_clean
    assert whole == snapshot(root)


@pytest.mark.parametrize("pair", [(FILE_NAME, COPY_NAME), (PARITY_FILE, PARITY_COPY)])
def test_copies_are_repaired(root: Path, whole: dict[str, bytes], pair: tuple[str, str]) -> None:
    """One damaged copy is replaced; two that are damaged in different places are merged."""
    for places in ((0, None), (None, 0), (5, 2000), (700, 3)):
        for path, place in zip(pair, places, strict=True):
            if place is not None:
                damage(root / path, place, 20)
        assert scrub(root, REPAIR).is_clean
        assert whole == snapshot(root)


def test_lost_parity_file_is_told(root: Path) -> None:
    """Without any parity.json nothing is repaired, and nothing but damage is complained about."""
    damage(root / PARITY_FILE, 5)
    damage(root / PARITY_COPY, 5)
    report = scrub(root, REPAIR)
    assert [finding.path for finding in report.findings] == [PARITY_COPY, PARITY_FILE]
    assert all("--protect" in finding.repair for finding in report.findings)
    assert scrub(root, Options(protect=SCHEME)).is_clean
    assert scrub(root, Options()).is_clean


def test_parity_of_another_manifest_is_not_used(root: Path, original: Path) -> None:
    """Parity that belongs to something else repairs nothing, and is made again when asked for."""
    files = small_output(root, [7, 8])
    report = scrub(root, REPAIR)
    # The copy that belonged to the other manifest follows the first one.
    assert [f.path for f in report.findings if f.is_open] == [PARITY_FILE]
    assert all((root / path).read_bytes() == data for path, data in files.items())
    assert scrub(root, Options(protect=SCHEME)).is_clean
    assert scrub(root, Options()).is_clean
    assert original.exists()


def test_unprotected_damage_is_told(tmp_path: Path) -> None:
    """Without parity a repair says what to do instead, and parity is not made over damage."""
    small_output(tmp_path, [10, 20])
    path = "documents/part-00000.parquet"
    damage(tmp_path / path, 1)
    for options in (REPAIR, Options(repair=True, protect=SCHEME)):
        (finding,) = scrub(tmp_path, options).findings
        assert (finding.path, finding.repair[:22]) == (path, "no parity protects it:")
    assert not (tmp_path / "parity").exists()


def test_parity_is_not_made_over_what_changed_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is damaged between being verified and being protected stops the protection."""
    small_output(tmp_path, [10, 20])

    def late(*arguments: Any) -> Parity:
        damage(tmp_path / "documents/part-00000.parquet", 3)
        return protect(*arguments)

    monkeypatch.setattr(f"{SCRUB}.protect", late)
    with pytest.raises(IntegrityError, match=r"part-00000\.parquet is not what the manifest says"):
        scrub(tmp_path, Options(protect=SCHEME))
    assert not (tmp_path / PARITY_FILE).exists()
    assert not list(tmp_path.rglob("*.parity"))


def test_damaged_originals_are_kept_until_the_end(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the history is written the damaged bytes still lie in lost+found, afterwards no more."""
    path = parity_of(root).groups[0].data[0].path
    damage(root / path, 1)
    bad = (root / path).read_bytes()
    kept: list[bytes] = []

    def look(where: Path, record: dict[str, object]) -> None:
        kept.extend(file.read_bytes() for file in (root / "lost+found").rglob("*.0"))
        append_history(where, record)

    monkeypatch.setattr(f"{SCRUB}.append_history", look)
    assert scrub(root, REPAIR).is_clean
    assert kept == [bad]
    assert not (root / "lost+found").exists()


def rewrite_parity(root: Path, parity: Parity) -> None:
    data = encode_parity_file(parity)
    for path in (PARITY_FILE, PARITY_COPY):
        (root / path).write_bytes(data)


def test_wrong_result_replaces_nothing(root: Path) -> None:
    """Parity whose matrix is another makes strips that no digest confirms: nothing is replaced."""
    parity = parity_of(root)
    group = parity.groups[0]
    other = replace(group, matrix=tuple(tuple(3 ^ value for value in row) for row in group.matrix))
    rewrite_parity(root, replace(parity, groups=(other, *parity.groups[1:])))
    damage(root / group.data[0].path, 5)
    before = snapshot(root)
    (finding,) = scrub(root, REPAIR).findings
    assert "are damaged there" in finding.repair
    assert before == snapshot(root)


def test_strips_that_fit_make_no_file_that_does_not(root: Path) -> None:
    """Strips may all have their digests: without the CRC-32C of the file it is not replaced."""
    parity = parity_of(root)
    number, group = next(
        (number, group)
        for number, group in enumerate(parity.groups)
        if any(member.path == "summary.json" for member in group.data)
    )
    data = tuple(
        replace(member, crc32c="00000000") if member.path == "summary.json" else member
        for member in group.data
    )
    groups = list(parity.groups)
    groups[number] = replace(group, data=data)
    rewrite_parity(root, replace(parity, groups=tuple(groups)))
    before = snapshot(root)
    (finding,) = scrub(root, REPAIR).findings
    assert (finding.path, finding.repair) == (
        "summary.json",
        "what was made again does not have the CRC-32C of the file",
    )
    assert before == snapshot(root)
