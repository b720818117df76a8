"""The file of `run`: two sections, paths beside it, and each mistake told with its line."""

from __future__ import annotations

import inspect
import re
import textwrap
from typing import TYPE_CHECKING

import pytest
from sealedbeam.pipeline.cli.crawl import crawl
from sealedbeam.pipeline.cli.run import run
from sealedbeam.pipeline.errors import UsageError
from sealedbeam.pipeline.integrity.ladder import OnDamage
from sealedbeam.pipeline.jobs.crawl.config import CRAWL_OPTIONS
from sealedbeam.pipeline.run_config import load_run

from tests.support.jobs import ROOT

if TYPE_CHECKING:
    from pathlib import Path

CRAWL = """crawl:
  seeds: [https://example.org/, more.txt]
  output: archives
  user-agent: me/1.0
  allow_hosts: example.org
  depth: 3
  on_damage: drop
"""
INDEX = """index:
  output: ../index
  scenario: flips.yaml
  workers: 3
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "run.yaml"
    path.write_text(text)
    return path


def test_each_section_has_the_options_of_its_command(tmp_path: Path) -> None:
    """Values arrive, dashes allowed; paths are relative to the file; a text stands for a list."""
    (tmp_path / "more.txt").write_text("https://example.com/\n")
    plan = load_run(write(tmp_path, CRAWL + INDEX))
    assert plan.crawl.seeds == ("https://example.org/", str(tmp_path / "more.txt"))
    assert plan.crawl.output == tmp_path / "archives"
    assert (plan.crawl.user_agent, plan.crawl.depth) == ("me/1.0", 3)
    assert plan.crawl.allow_hosts == ("example.org",)
    assert plan.crawl.on_damage is OnDamage.DROP
    assert plan.index.output == tmp_path / ".." / "index"
    assert plan.index.scenario == tmp_path / "flips.yaml"
    assert plan.index.workers == 3


def test_every_option_of_crawl_has_a_key() -> None:
    """What `crawl` takes as a flag can be said in a file, but for seeds and files."""
    flags = {parameter.name for parameter in crawl.params} - {"seeds", "output", "config"}
    assert flags <= CRAWL_OPTIONS.keys.keys()
    names = {parameter.name: parameter.opts[0] for parameter in crawl.params}
    told = {key: CRAWL_OPTIONS.flags.get(key, f"--{key.replace('_', '-')}") for key in flags}
    assert told == {key: names[key] for key in flags}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (CRAWL.replace("depth", "deepth") + INDEX, "line 6: crawl.deepth is not known; did you"),
        (CRAWL + INDEX.replace("workers", "werkers"), "line 11: index.werkers is not known; did"),
        (CRAWL + INDEX.replace("workers", "colour"), "in index known are protection, on_damage"),
        (CRAWL.replace(": 3", ": -3") + INDEX, "line 6: crawl.depth is -3; allowed: a whole"),
        (CRAWL.replace("me/1.0", "") + INDEX, "line 4: crawl.user_agent is empty; allowed: a text"),
        (CRAWL.replace("user-agent", "# "), "line 1: crawl.user_agent is missing; say who crawls"),
        (CRAWL.replace("seeds", "# ") + INDEX, "line 1: crawl.seeds is missing; allowed: a list"),
        (CRAWL + "index:\n  workers: 2\n", "line 8: index.output is missing; allowed: a folder"),
        (CRAWL + INDEX + "  runner: FlinkRunner\n", "line 12: index.runner is for the command"),
        (CRAWL + INDEX + "  inputs: [x]\n", "line 12: index.inputs is what the crawl brings"),
        (CRAWL + INDEX + "  quiet: true\n", "line 12: index.quiet belongs on the command line"),
        (CRAWL + "  max_attempts: 5\n" + INDEX, "line 8: crawl.max_attempts has no effect"),
        (CRAWL + INDEX + "  out-put: x\n  out_put: y\n", "index: out_put stands there twice"),
        (CRAWL + INDEX + "indx: {}\n", "line 12: indx is no section; did you mean index?"),
        (CRAWL + INDEX + "search: {}\n", "line 12: search is no section; there are crawl and"),
        (CRAWL, "the section index is missing; write `index: {"),
        ("crawl: yes\n" + INDEX, "the section crawl is no mapping"),
        ("- 1", "a run has two sections, `crawl: {seeds"),
        ("", "a run has two sections, `crawl: {seeds"),
        ("crawl: {", "line 1, column 9: expected the node content"),
    ],
)
def test_mistakes_are_told_with_line_and_path(tmp_path: Path, text: str, said: str) -> None:
    """Every wrong key and value is told in one line that begins with the file."""
    path = write(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        load_run(path)
    message = str(caught.value)
    assert str(path) in message
    assert said in message
    assert message.isprintable()


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """Two mistakes in two sections give one message."""
    text = (CRAWL + INDEX).replace("depth: 3", "depth: x").replace("workers: 3", "workers: y")
    with pytest.raises(UsageError, match=r"line 6: crawl\.depth is 'x'.*line 11: index\.workers"):
        load_run(write(tmp_path, text))


def test_the_examples_are_runs(tmp_path: Path) -> None:
    """The files that README and help show are read, and so is the configuration of the demo."""
    shown = re.findall(r"```yaml\n(crawl:.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    help_text = inspect.cleandoc(run.help or "")
    shown.append(textwrap.dedent(help_text[help_text.index("  crawl:") : help_text.rindex("\b")]))
    assert len(shown) == 2
    for text in shown:
        plan = load_run(write(tmp_path, text))
        assert (plan.crawl.pages, plan.index.output) == (1000, tmp_path / "index")
    demo = CRAWL_OPTIONS.load(ROOT / "configs" / "demo.yaml", {})
    assert demo.scenario is not None
    assert demo.scenario.is_file()
