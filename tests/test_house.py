"""The rules of this house, kept by tests: direction of imports, limits, docstrings, links, words.

Every rule is a pure function in `tests/support`, and each has a test here that it goes red.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.support import house_imports, house_style

ROOT = Path(__file__).parent.parent
PACKAGES = ("pipeline", "faults", "monitoring")
PRODUCT = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
SCRIPTS = sorted(path for name in ("seeds", "examples") for path in (ROOT / name).glob("*.py"))
SOURCES = [*PRODUCT, *TESTS, *SCRIPTS]
FOLDERS = sorted({path.parent for path in PRODUCT})
DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *(
            path
            for name in (*PACKAGES, "configs", "examples", "seeds", "tests")
            for path in (ROOT / name).rglob("*.md")
        ),
    ]
)
OTHERS = [ROOT / "Makefile", ROOT / "pyproject.toml", ROOT / ".ci" / "run"]
CONFIGS = sorted((ROOT / "configs").rglob("*.y*ml"))
LIGHT = ("cli.program", "errors", "fields", "records")


@cache
def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(("sealedbeam", *(part for part in parts if part != "__init__")))


def package_of(path: Path) -> str:
    return ".".join(("sealedbeam", *path.parent.relative_to(ROOT).parts))


def each(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=name_of)


@each(PRODUCT)
def test_imports_point_inwards(path: Path) -> None:
    """No module imports what lies further out than itself."""
    source, module = read(path), module_of(path)
    assert house_imports.find_forbidden_imports(source, module, package_of(path)) == []
    assert house_imports.find_upward_imports(source, module) == []


@each(SOURCES)
def test_source_keeps_its_limits(path: Path) -> None:
    """No function, file or line is longer than its limit."""
    source, name = read(path), name_of(path)
    assert house_style.find_long_functions(source, name) == []
    assert house_style.find_long_files(source, name) == []


@each([path for path in SOURCES if not path.name.startswith("test_")])
def test_module_says_what_it_is_for(path: Path) -> None:
    """Every module but a test's, whose tests speak for themselves, opens with a docstring."""
    assert house_style.find_missing_docstring(read(path), name_of(path)) == []


def test_most_functions_are_short() -> None:
    """Nine functions in ten have 30 lines or fewer."""
    assert house_style.find_unusual_share([read(path) for path in PRODUCT]) == []


@each([path for path in TESTS if path.name.startswith("test_")])
def test_every_test_states_its_claim(path: Path) -> None:
    """A test's docstring is what it claims."""
    assert house_style.find_unclaimed_tests(read(path), name_of(path)) == []


@each(FOLDERS)
def test_package_opens_with_its_contents(path: Path) -> None:
    """Each package has a README and an `__init__` that lists every module and package in it."""
    contents = path / "__init__.py"
    source = read(contents) if contents.exists() else ""
    modules = {child.stem for child in path.glob("*.py")} - {"__init__", "__main__"}
    modules |= {child.parent.name for child in path.glob("*/__init__.py")}
    docstring = ast.get_docstring(ast.parse(source)) or ""
    assert house_style.find_unlisted_modules(docstring, modules, name_of(contents)) == []
    assert house_style.find_code_in_contents(source, name_of(contents)) == []
    assert (path / "README.md").is_file()


@each(DOCUMENTS)
def test_documents_name_what_exists(path: Path) -> None:
    """Every linked file and every `make` command of a document exists."""
    text, name = read(path), name_of(path)
    makefile = read(ROOT / "Makefile")
    assert house_style.find_dead_links(text, name, lambda at: (path.parent / at).exists()) == []
    assert house_style.find_unknown_targets(text, name, makefile) == []


@each([*SOURCES, *DOCUMENTS, *CONFIGS, *OTHERS])
def test_nothing_is_put_off(path: Path) -> None:
    """Nothing is marked as still to be done."""
    assert house_style.find_banned_words(read(path), name_of(path)) == []


@pytest.mark.parametrize("module", [f"{house_imports.PIPELINE}.{name}" for name in LIGHT])
def test_light_modules_start_at_once(module: str) -> None:
    """Importing the command line or a plain value loads neither Beam nor NumPy nor Arrow."""
    assert house_imports.heavy_imports(module) == []


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("pipeline.integrity.seal", "from sealedbeam.pipeline.records import Page"),
        ("pipeline.integrity.seal", "from sealedbeam.pipeline import records"),
        ("pipeline.crawl.warc", "import sealedbeam.pipeline.index.parse"),
        ("pipeline.index.parse", "def f():\n    from sealedbeam.pipeline.warc import parts"),
        ("pipeline.config", "from sealedbeam.faults.plan import Plan"),
        ("pipeline.jobs.driver", "from sealedbeam.monitoring import metrics"),
        ("monitoring.metrics", "from sealedbeam.faults.journal import Journal"),
        ("monitoring.metrics", "import apache_beam as beam"),
        ("pipeline.storage.scrub", "from sealedbeam.pipeline.jobs.finish import tidy"),
        ("pipeline.index.search", "import apache_beam"),
        ("faults.campaign", "from sealedbeam.pipeline.cli.program import main"),
        ("pipeline.config", "from . import cli"),
    ],
)
def test_outward_import_is_found(module: str, line: str) -> None:
    """Each rule of direction goes red on one import that breaks it."""
    name = f"sealedbeam.{module}"
    found = house_imports.find_forbidden_imports(line, name, name.rpartition(".")[0])
    assert len(found) >= 1


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("pipeline.cli.observer", "from sealedbeam.monitoring import metrics"),
        ("pipeline.crawl.transforms", "import apache_beam as beam"),
        ("pipeline.jobs.map_job", "from sealedbeam.pipeline.warc import parts"),
        ("pipeline.integrity.seal", "from sealedbeam.pipeline.recordsmith import x"),
        ("monitoring.burst_detector", "from sealedbeam.faults.topology import Cluster"),
    ],
)
def test_inward_import_is_left(module: str, line: str) -> None:
    """An import that no rule forbids, or that a rule exempts, is not reported."""
    name = f"sealedbeam.{module}"
    assert house_imports.find_forbidden_imports(line, name, name.rpartition(".")[0]) == []


def test_climbing_import_is_found() -> None:
    """A relative import may name a sibling, never a parent."""
    assert house_imports.find_upward_imports("from .a import b\nfrom . import c", "m") == []
    assert len(house_imports.find_upward_imports("from ..a import b", "m")) == 1


def test_heavy_import_is_found() -> None:
    """The look into a fresh interpreter sees what was loaded."""
    assert house_imports.heavy_imports("numpy") == ["numpy"]
    assert house_imports.heavy_imports("json") == []


def test_function_length_leaves_the_docstring_out() -> None:
    """60 lines pass and 61 do not, however long the docstring is."""
    body = '    """One\n\n    Three\n    """\n' + "    x = 1\n" * 59
    assert house_style.find_long_functions("@d\ndef f():\n" + body, "m") == []
    assert len(house_style.find_long_functions("def f():\n" + body + "    x = 1\n", "m")) == 1


def test_long_average_is_found() -> None:
    """One function in ten may be long, two may not."""
    short, long = "def f():\n    x = 1\n", "def g():\n" + "    x = 1\n" * 30
    assert house_style.find_unusual_share([short * 9 + long]) == []
    assert len(house_style.find_unusual_share([short * 8, long * 2])) == 1


def test_long_file_and_long_line_are_found() -> None:
    """400 lines of 100 characters pass; one line or one character more does not."""
    assert house_style.find_long_files(("x" * 100 + "\n") * 400, "m") == []
    assert len(house_style.find_long_files("x\n" * 401, "m")) == 1
    assert len(house_style.find_long_files("x" * 101, "m")) == 1


def test_missing_docstrings_are_found() -> None:
    """A module without a docstring and a test without a claim are reported."""
    assert len(house_style.find_missing_docstring("x = 1", "m")) == 1
    assert len(house_style.find_unclaimed_tests("def test_a(): pass", "m")) == 1
    assert house_style.find_unclaimed_tests('def test_a():\n    """A."""', "m") == []


def test_incomplete_contents_are_found() -> None:
    """A module that the table leaves out is reported, and so is code among the contents."""
    assert house_style.find_unlisted_modules("seal   seals", {"seal", "sea"}, "m") == [
        "m does not list sea"
    ]
    assert len(house_style.find_code_in_contents('"""T."""\ndef f(): pass', "m")) == 1


def test_dead_link_and_unknown_target_are_found() -> None:
    """A link to a missing file and a `make` of a missing target are reported, addresses are not."""
    text = "[a](a.md#b) [c](gone.md) [d](https://x.example/) [e](#f)\n`make lint`, `make tea`"
    assert house_style.find_dead_links(text, "m", lambda at: at == "a.md") == [
        "m links to gone.md, which is not there"
    ]
    assert house_style.find_unknown_targets(text, "m", "lint: x\n\ty\n") == [
        "m says make tea, which is no target"
    ]


@pytest.mark.parametrize("word", house_style.BANNED_WORDS)
def test_banned_word_is_found(word: str) -> None:
    """A banned word is reported as a word, not as a part of one."""
    assert house_style.find_banned_words(f"a\n# {word}: b", "m") == [f"m:2 says {word}"]
    assert house_style.find_banned_words(f"{word}H", "m") == []


@pytest.mark.parametrize(
    ("body", "ci", "expected"),
    [
        ("def test_b(): {}", "true", pytest.ExitCode.TESTS_FAILED),
        ("{}\ndef test_b(): pass", "true", pytest.ExitCode.INTERRUPTED),
        ("def test_b(): {}", "", pytest.ExitCode.OK),
        ("{}\ndef test_b(): pass", "", pytest.ExitCode.OK),
    ],
)
def test_skip_fails_in_ci_alone(
    tmp_path: Path, body: str, ci: str, expected: pytest.ExitCode
) -> None:
    """With CI set a skipped test or module is a failure; without, it is shown and passes."""
    (tmp_path / "conftest.py").write_text(read(ROOT / "tests" / "conftest.py"))
    (tmp_path / "test_a.py").write_text("def test_a(): pass\n")
    skipping = "import unittest\n" + body.format("raise unittest.SkipTest('no server')")
    (tmp_path / "test_b.py").write_text(skipping)
    environment = {key: os.environ[key] for key in os.environ if not key.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        env={**environment, "CI": ci},
        capture_output=True,
        text=True,
        check=False,
    )
    assert expected == done.returncode
    assert ("skipped, which CI does not allow" in done.stdout) == bool(ci)
