"""What a scrub looks at: the manifest, the parity, and what every file has to be by both."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sealedbeam.pipeline.manifest import COPY_NAME, FILE_NAME, Manifest, decode_manifest

from .parity import PARITY_COPY, PARITY_FILE, Group, Parity, decode_parity_file
from .replicas import Replicated, read_replicated
from .verify import Expected

if TYPE_CHECKING:
    from pathlib import Path

MANIFESTS = (FILE_NAME, COPY_NAME)
PARITIES = (PARITY_FILE, PARITY_COPY)


@dataclass(frozen=True, slots=True)
class Subject:
    """An output at rest.

    Attributes:
        manifest: as its copies say.
        parity: as its copies say; it says nothing where it does not belong to the manifest.
        expected: what each file but these has to be, by path.
        problems: what is wrong with copies, by path.
    """

    manifest: Replicated[Manifest]
    parity: Replicated[Parity]
    expected: dict[str, Expected]
    problems: dict[str, str] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """A digest of what files have to be."""
        said = (self.manifest.data or b"", self.parity.data or b"")
        return hashlib.sha256(b"\n".join(said)).hexdigest()

    @property
    def groups(self) -> tuple[Group, ...]:
        """The groups of the parity, as far as it is known."""
        return () if self.parity.value is None else self.parity.value.groups

    def group_of(self, path: str) -> int | None:
        """Return which group a file belongs to, None if it is in none."""
        for number, group in enumerate(self.groups):
            if any(member.path == path for member in group.members):
                return number
        return None


def read_subject(root: Path) -> Subject:
    """Return what is known of the output in `root`."""
    manifest = read_replicated(root, MANIFESTS, decode_manifest)
    parity: Replicated[Parity] = Replicated(None, None, {})
    problems = dict(manifest.problems)
    if any((root / path).exists() for path in PARITIES):
        parity = read_replicated(root, PARITIES, decode_parity_file)
        if parity.value is not None and not _belongs(parity.value, manifest):
            other = "belongs to another manifest: make it again with --protect"
            parity = Replicated(None, None, {PARITY_FILE: other})
        problems |= parity.problems
    elif not (root / COPY_NAME).exists():
        problems.pop(COPY_NAME, None)  # it is made with the parity
    return Subject(manifest, parity, _expected(manifest.value, parity.value), problems)


def _belongs(parity: Parity, manifest: Replicated[Manifest]) -> bool:
    """Whether parity is that of a manifest, as far as anything is known of the manifest."""
    if manifest.data is None or manifest.value is None:
        return True
    members = parity.members
    return parity.manifest_sha256 == hashlib.sha256(manifest.data).hexdigest() and all(
        (member := members.get(entry.path)) is not None
        and (member.size_bytes, member.crc32c) == (entry.bytes, entry.crc32c)
        for entry in manifest.value.files
    )


def _expected(manifest: Manifest | None, parity: Parity | None) -> dict[str, Expected]:
    """Return what each file has to be; what manifest and parity both name they agree upon."""
    expected = {}
    for entry in manifest.files if manifest is not None else ():
        expected[entry.path] = Expected(entry.path, entry.bytes, entry.crc32c, entry=entry)
    for group in parity.groups if parity is not None else ():
        for member in group.members:
            named = expected.get(member.path)
            expected[member.path] = Expected(
                member.path,
                member.size_bytes,
                member.crc32c,
                member.digests,
                group.strip_bytes,
                None if named is None else named.entry,
            )
    if manifest is not None:  # then its copies have proven themselves
        for path in MANIFESTS:
            expected.pop(path, None)
    return expected
