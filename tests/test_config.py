"""Options are checked where they come in, and every mistake is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.config import JobConfig, canonical_json, configuration_hash, load_config
from sealedbeam.pipeline.errors import UsageError
from sealedbeam.pipeline.integrity.ladder import OnDamage

if TYPE_CHECKING:
    from pathlib import Path

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def test_file_and_overrides(tmp_path: Path) -> None:
    """A file sets options, dashes allowed; what is given besides wins unless it is None."""
    path = tmp_path / "job.yaml"
    path.write_text("max-attempts: 5\nseed: 7\non_damage: drop\n")
    config = load_config(path, {"seed": 9, "protection": None})
    assert config == JobConfig(max_attempts=5, seed=9, on_damage=OnDamage.DROP)
    assert load_config(None, {}) == JobConfig()
    path.write_text("")
    assert load_config(path, {}) == JobConfig()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("protection: much", "'much' is not one of none, detect, correct"),
        ("max_attempts: 0\nseed: -1", "max_attempts: .*seed: "),
        ("sead: 1", "sead: .*keys: protection, on_damage"),
        ("- 1", "is a mapping of option to value"),
        ("a: [", "cannot read configuration"),
        ("a: !!python/object:os.system {}", "cannot read configuration"),
        ("\x00", "cannot read configuration"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, said: str) -> None:
    """Every wrong key and value is told with the file that it stands in."""
    path = tmp_path / "job.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=said) as caught:
        load_config(path, {})
    assert str(path) in str(caught.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    """A configuration that is not there is an error of usage."""
    with pytest.raises(UsageError, match=r"gone\.yaml"):
        load_config(tmp_path / "gone.yaml", {})


@given(st.dictionaries(st.text(), JSON))
def test_hash_follows_from_the_values_alone(value: dict[str, Any]) -> None:
    """The order of keys does not show; another value does."""
    backwards = dict(reversed(value.items()))
    assert canonical_json(value) == canonical_json(backwards)
    assert configuration_hash(value) == configuration_hash(backwards)
    assert configuration_hash(value) != configuration_hash({**value, "one more key": 1})
