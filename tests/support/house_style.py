"""How long, how documented, how linked: pure functions from source text to violations.

Each takes the text of one file and the name to call it by, and returns a line per violation.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

FUNCTION_LINES_MAX = 60
FUNCTION_LINES_USUAL = 30
USUAL_SHARE = 0.9
FILE_LINES_MAX = 400
LINE_LENGTH_MAX = 100
# In two halves, because this file is searched as well.
BANNED_WORDS = ("TO" + "DO", "FIX" + "ME", "XX" + "X")

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_MAKE = re.compile(r"`make ([a-z-]+)|^make ([a-z-]+)", re.MULTILINE)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions_of(tree: ast.Module) -> Iterator[Function]:
    """Yield every function and method, nested ones too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def count_lines(function: Function) -> int:
    """Return the length of `function` in lines, its docstring and decorators not counted."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def find_long_functions(source: str, name: str) -> list[str]:
    """Return the functions of more than FUNCTION_LINES_MAX lines."""
    return [
        f"{name}:{function.lineno} {function.name} has {count_lines(function)} lines"
        for function in functions_of(ast.parse(source))
        if count_lines(function) > FUNCTION_LINES_MAX
    ]


def find_unusual_share(sources: Sequence[str]) -> list[str]:
    """Return a line if fewer than 9 in 10 functions of all `sources` have the usual length."""
    trees = [ast.parse(source) for source in sources]
    lengths = [count_lines(function) for tree in trees for function in functions_of(tree)]
    usual = sum(length <= FUNCTION_LINES_USUAL for length in lengths)
    if usual >= USUAL_SHARE * len(lengths):
        return []
    return [f"only {usual} of {len(lengths)} functions have {FUNCTION_LINES_USUAL} lines or fewer"]


def find_long_files(source: str, name: str) -> list[str]:
    """Return a line if the file is too long, and one for each line that is."""
    lines = source.splitlines()
    found = [f"{name} has {len(lines)} lines"] if len(lines) > FILE_LINES_MAX else []
    return found + [
        f"{name}:{number} has {len(line)} characters"
        for number, line in enumerate(lines, 1)
        if len(line) > LINE_LENGTH_MAX
    ]


def find_missing_docstring(source: str, name: str) -> list[str]:
    """Return a line if the module does not open by saying what it is for."""
    return [] if ast.get_docstring(ast.parse(source)) else [f"{name} opens without a docstring"]


def find_unclaimed_tests(source: str, name: str) -> list[str]:
    """Return the tests whose docstring does not state their claim."""
    return [
        f"{name}:{function.lineno} {function.name} claims nothing"
        for function in functions_of(ast.parse(source))
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]


def find_unlisted_modules(docstring: str, modules: Collection[str], name: str) -> list[str]:
    """Return the modules of a package that its table of contents leaves out."""
    listed = set(re.findall(r"\w+", docstring))
    return [f"{name} does not list {module}" for module in sorted(set(modules) - listed)]


def find_code_in_contents(source: str, name: str) -> list[str]:
    """Return what stands in a package's `__init__` besides its table of contents."""
    return [
        f"{name}:{node.lineno} is code: a package opens with its table of contents alone"
        for node in ast.parse(source).body[1:]
        if not isinstance(node, ast.Import | ast.ImportFrom | ast.Assign | ast.AnnAssign)
    ]


def find_dead_links(text: str, name: str, exists: Callable[[str], bool]) -> list[str]:
    """Return the links to files that `exists` does not know; addresses and anchors are left."""
    targets = (target.partition("#")[0] for target in _LINK.findall(text))
    return [
        f"{name} links to {target}, which is not there"
        for target in targets
        if target and "://" not in target and not target.startswith("mailto:")
        if not exists(target)
    ]


def find_unknown_targets(text: str, name: str, makefile: str) -> list[str]:
    """Return the `make` commands of a document that the Makefile does not know."""
    known = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = {first or second for first, second in _MAKE.findall(text)}
    return [f"{name} says make {target}, which is no target" for target in sorted(named - known)]


def find_banned_words(text: str, name: str) -> list[str]:
    """Return the lines that put off what should be done or dropped."""
    words = re.compile(rf"\b(?:{'|'.join(BANNED_WORDS)})\b")
    return [
        f"{name}:{number} says {match.group()}"
        for number, line in enumerate(text.splitlines(), 1)
        for match in words.finditer(line)
    ]
