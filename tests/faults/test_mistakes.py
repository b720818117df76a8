"""Claims about the sentences in which mistakes of a file are told."""

from __future__ import annotations

import pytest
from sealedbeam.faults.mistakes import Words, describe

ALLOWED = {"": "the keys name, parts", "parts": "a list", "parts.size": "a whole number"}
WORDS = Words(ALLOWED, "the file")


@pytest.mark.parametrize(
    ("location", "kind", "sentence"),
    [
        ((), "type", "the file is 7; allowed: the keys name, parts"),
        (("parts", 3, "size"), "type", "parts[3].size is 7; allowed: a whole number"),
        (("parts", 3, "size"), "missing", "parts[3].size is missing; allowed: a whole number"),
        (("parts", 3, "colour"), "type", "parts[3].colour is 7; allowed: a list"),
        (("name",), "type", "name is 7; allowed: the keys name, parts"),
        (("parts", 0, "sizes"), "extra_forbidden", "parts[0].sizes is not known; did you mean"),
        (("q",), "extra_forbidden", "q is not known; allowed: the keys name, parts"),
    ],
)
def test_mistake_names_place_value_and_range(
    location: tuple[int | str, ...], kind: str, sentence: str
) -> None:
    """A place without words of its own has those of what it lies in; near keys are proposed."""
    assert describe(location, kind, 7, WORDS).startswith(sentence)


def test_long_value_is_cut() -> None:
    """A sentence does not grow with the value."""
    assert len(describe((), "type", "x" * 999, WORDS)) < 120
