"""What the fuzzer has found stays found: each reader keeps its promises on the whole corpus."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.targets import NAMES, load

CORPUS = Path(__file__).parent / "corpus"
_FILES_MAX = 100
_BYTES_MAX = 300 << 10


@pytest.mark.parametrize("name", NAMES)
def test_reader_keeps_its_promises(name: str) -> None:
    """No seed and no input of the corpus breaks a promise or raises what is not documented."""
    check = load(name).check
    for seed in load(name).seeds():
        check(seed)
    for path in sorted((CORPUS / name).iterdir()):
        try:
            check(path.read_bytes())
        except Exception as error:
            error.add_note(f"on {path}")
            raise


@pytest.mark.parametrize("name", NAMES)
def test_inputs_fit_the_fuzzer(name: str) -> None:
    """The fuzzer cuts no seed and no input of the corpus: none is longer than it may be."""
    target = load(name)
    lengths = [len(seed) for seed in target.seeds()]
    lengths += [path.stat().st_size for path in (CORPUS / name).iterdir()]
    assert max(lengths) <= target.max_bytes


def test_corpus_is_small() -> None:
    """The corpus is one folder for each target, of a hundred files at most."""
    assert sorted(NAMES) == sorted(path.name for path in CORPUS.iterdir())
    assert max(len(list((CORPUS / name).iterdir())) for name in NAMES) <= _FILES_MAX
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) <= _BYTES_MAX
