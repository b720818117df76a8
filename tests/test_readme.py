"""The README's examples run, and its commands exist with the options that it names."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from sealedbeam.pipeline.cli.program import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
COMMANDS = [
    line.partition("#")[0].strip()
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    for line in block.replace("\\\n", " ").splitlines()
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.splitlines()[-1].strip()[:30])
def test_example_runs(
    example: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each Python example of the README runs as it stands and prints what it makes."""
    (tmp_path / "seeds").symlink_to(ROOT / "seeds")
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "A PAGE" in printed or "'status': 'complete'" in printed


@pytest.mark.parametrize(
    "line", [line for line in COMMANDS if line.startswith("sealedbeam ")], ids=str
)
def test_command_exists(line: str) -> None:
    """Each command of the README is one of the program's, with options that it takes."""
    _, name, *arguments = shlex.split(line)
    command = main.commands[name]
    known = {option for parameter in command.params for option in parameter.opts}
    used = {argument for argument in arguments if argument.startswith("--")}
    assert used <= known
    assert isinstance(command, click.Command)


def test_make_targets_exist() -> None:
    """Each make target of the README is in the Makefile."""
    targets = {line.split()[1] for line in COMMANDS if line.startswith("make ")}
    makefile = (ROOT / "Makefile").read_text()
    assert targets
    assert {target for target in targets if f"\n{target}:" not in makefile} == set()
