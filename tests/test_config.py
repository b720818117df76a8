"""Options are checked where they come in, and every mistake is named."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.arguments import beam_flags
from sealedbeam.pipeline.config import (
    CommandConfig,
    JobConfig,
    canonical_json,
    configuration_hash,
    load_config,
)
from sealedbeam.pipeline.errors import UsageError
from sealedbeam.pipeline.integrity.ladder import OnDamage

from tests.support.jobs import ROOT

if TYPE_CHECKING:
    from pathlib import Path

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "job.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_file_and_command_line(tmp_path: Path) -> None:
    """A file sets options, dashes allowed; what is given besides wins unless it is None."""
    path = write(tmp_path, "max-attempts: 5\nseed: 7\non_damage: drop\n")
    config = load_config(path, {"seed": 9, "protection": None})
    assert config.job == JobConfig(max_attempts=5, seed=9, on_damage=OnDamage.DROP)
    assert load_config(None, {}).job == JobConfig()
    assert load_config(write(tmp_path, ""), {}) == CommandConfig()


def test_file_takes_all_options_of_the_command(tmp_path: Path) -> None:
    """Who does the work and what is shown can stand in the file; the job does not depend on it."""
    text = "workers: 3\nrunner: PrismRunner\nscenario: mine/flips.yaml\nkeep-runs: yes\n"
    text += "quiet: true\njson: true\n"
    with pytest.raises(UsageError, match="workers has no effect with runner PrismRunner"):
        load_config(write(tmp_path, text), {})
    config = load_config(write(tmp_path, text), {"runner": "DirectRunner", "json": False})
    assert (config.workers, config.runner, config.is_local) == (3, "DirectRunner", True)
    assert (config.keep_runs, config.quiet, config.as_json) == (True, True, False)
    assert config.scenario == tmp_path / "mine" / "flips.yaml"
    assert config.job == JobConfig()
    assert load_config(write(tmp_path, "cluster: south"), {}).cluster == "south"


def test_shipped_configurations_of_runners() -> None:
    """Each file in configs/runners can be loaded, and its options are Beam's."""
    files = sorted((ROOT / "configs" / "runners").glob("*.yaml"))
    assert "flink" in [path.stem for path in files]
    assert all(load_config(path, {}).beam for path in files)
    config = load_config(ROOT / "configs" / "runners" / "flink.yaml", {})
    assert (config.is_flink, config.is_local, config.workers) == (True, False, 2)
    flags = beam_flags(config.beam)
    assert {"--environment_type=EXTERNAL", "--streaming", "--max_bundle_size=1"} <= set(flags)


def test_options_of_beam_as_words() -> None:
    """Options by name become what one would type; a true one needs no value, a false one goes."""
    assert beam_flags({"a": "b c", "d": 1, "e": True, "f": False}) == ["--a=b c", "--d=1", "--e"]


def test_every_option_of_the_command_has_a_key() -> None:
    """What `index` takes as a flag can be said in a file, but for files and who watches."""
    from sealedbeam.pipeline.cli.index import index  # noqa: PLC0415 - it is heavy

    flags = {parameter.name for parameter in index.params} - {
        "inputs",
        "expect",
        "output",
        "config",
        "serve",
        "push_gateway",
    }
    keys = {field.alias or name for name, field in CommandConfig.model_fields.items()}
    assert flags <= keys


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("protection: much", "protection is 'much'; allowed: none, detect, correct"),
        ("protection: [none]", "protection is ['none']; allowed: none, detect, correct"),
        ("max_attempts: 0\nseed: -1", "max_attempts is 0; allowed: a whole number from 1 to 100;"),
        ("max_attempts: 0\nseed: -1", "; seed is -1; allowed: a whole number from 0 to"),
        ("max_attempts: '3x'", "max_attempts is '3x'; allowed: a whole number"),
        ("seed: true", "seed is True; allowed: a whole number"),
        ("seed: 2020-99-99", "seed is '2020-99-99'; allowed: a whole number"),
        ("seed:", "seed is empty; allowed: a whole number"),
        ("on_damage: No", "on_damage is 'No'; allowed: retry, drop, fail"),
        ("max_dropped_ratio: .nan", "max_dropped_ratio is nan; allowed: a number from 0 to 1"),
        ("workers: 0", "workers is 0; allowed: a whole number from 1 to 1,024"),
        ("quiet: maybe", "quiet is 'maybe'; allowed: true or false"),
        ("cluster: 'a b'", "cluster is 'a b'; allowed: a name of up to 40"),
        ("runner: ''", "runner is ''; allowed: direct, or the name"),
        (f"cluster: {'a' * 99}", "cluster is 'aaaaaaaaaaaaaaaaaaa"),
        ("runner: flink\nbeam: here", "beam is 'here'; allowed: options of Beam by name: text"),
        ("runner: flink\nbeam: {flink_version: 1.20}", "beam is {'flink_version': 1.2}; allowed"),
        ("runner: flink\nbeam: {parallelism: 2}", "beam sets parallelism; give the number of"),
        ("beam: {streaming: true}", "beam has no effect with the local runner"),
        ("sead: 1", "sead is not known; did you mean seed?"),
        ("protecton: none\nsead: 1", "protecton is not known; did you mean protection?; sead is"),
        ("colour: red", "colour is not known; known are protection, on_damage"),
        ("1: 2\nnull: 3", "1 is not known; None is not known; known are"),
        ("output: here", "output belongs on the command line"),
        ("max-attempts: 2\nmax_attempts: 3", "max_attempts stands there twice"),
        ("on_damage: fail\nmax_dropped_ratio: 0.5", "has no effect with on_damage fail"),
        ("redundancy: true", "redundancy is True; allowed: off, audit"),
        ("redundancy: audit\naudited_share: 0", "audited_share is 0; allowed: a number, more than"),
        ("audited_share: 0.5", "audited_share has no effect without redundancy audit"),
        ("redundancy: off\nevict_after: 2", "evict_after has no effect without redundancy audit"),
        ("scenario: x.yaml\ncluster: south", "cluster has no effect with a scenario"),
        ("clusters: []\nfaults: []", "is a scenario: give it with --scenario"),
        ("- 1", "is a mapping"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, said: str) -> None:
    """Every wrong key and value is told in one line, with the file and what is allowed there."""
    path = write(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        load_config(path, {})
    message = str(caught.value)
    assert message.startswith(str(path))
    assert said in message
    assert message.isprintable()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [\n  b: {", "line 2, column 7: expected the node content"),
        (
            "seed:\t1\n\tworkers: 2",
            "line 1, column 6: found character '\\t' that cannot start any ",
        ),
        ("seed:\t1\n\tworkers: 2", "YAML is indented with spaces"),
        ("seed: 1\nseed: 2", "line 2, column 1: seed stands there twice; leave one of them out"),
        ("seed: 1\n---\nseed: 2", "line 2, column 1: found another document"),
        ("a: !!python/object:os.system {}", "line 1, column 4: could not determine a constructor"),
        ("? [1, 2]\n: 3", "line 1, column 3: found unhashable key"),
        ("a: &a 1\nb: *a", "line 2, column 4: write the value out instead of an alias"),
        ("seed: &a [*a]", "line 1, column 11: write the value out"),
        (f"seed: {'9' * 10_000}", "line 1, column 7: the number is too long"),
        (f"seed: {'[' * 20_000}", "nested too deeply"),
        (f"seed: {'{a: ' * 5_000}", "nested too deeply"),
        (b"a: 1\nb: \xe9", "line 2, column 4: "),
        ("é: 1\nb: \x00", "line 2, column 4: special characters are not allowed"),
        ("# \n" * 100_000, "more than 262,144 bytes"),
    ],
)
def test_what_is_no_yaml_is_told_with_its_place(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    """The message is one line with file, line and column; no file takes time or memory."""
    path = write(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        load_config(path, {})
    message = str(caught.value)
    assert message.startswith(f"cannot read configuration {path}: ")
    assert said in message
    assert message.isprintable()


def test_mistakes_of_file_and_flags_are_told_together(tmp_path: Path) -> None:
    """A flag is named as it was typed, and all that is wrong is told at once."""
    path = write(tmp_path, "seed: -1")
    with pytest.raises(UsageError) as caught:
        load_config(path, {"max_attempts": 0, "workers": 0})
    first, _, rest = str(caught.value).partition("; --max-attempts is 0; allowed: ")
    assert first.startswith(f"{path}: seed is -1; allowed: ")
    assert "; --workers is 0; allowed: " in rest


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gone.yaml", "No such file"),
        ("pipe", "it is a pipe, and must be a file"),
        (".", "it is a folder, and must be a file"),
        ("/dev/zero", "it is a device, and must be a file"),
    ],
)
def test_what_is_no_file_is_refused(tmp_path: Path, name: str, said: str) -> None:
    """A file that is not there, would wait for a writer, or never ends is an error of usage."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match=said):
        load_config(tmp_path / name, {})


@given(st.dictionaries(st.text(), JSON))
def test_hash_follows_from_the_values_alone(value: dict[str, Any]) -> None:
    """The order of keys does not show; another value does."""
    backwards = dict(reversed(value.items()))
    assert canonical_json(value) == canonical_json(backwards)
    assert configuration_hash(value) == configuration_hash(backwards)
    assert configuration_hash(value) != configuration_hash({**value, "one more key": 1})
