"""Who may import whom: the rules as data, and pure functions that find what breaks them.

Imports are read from the syntax tree, wherever they stand: at the top, inside a function, or for
the type checker alone. A rule is about direction, and a type can point the wrong way too.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PIPELINE = "sealedbeam.pipeline"
FAULTS = "sealedbeam.faults"
MONITORING = "sealedbeam.monitoring"
CLI = f"{PIPELINE}.cli"
HEAVY = ("apache_beam", "numpy", "pyarrow")


@dataclass(frozen=True, slots=True)
class ImportRule:
    """Modules below `importer` import nothing below `forbidden` but what is `allowed`.

    Modules below `exempt`, and those whose file is named `exempt_stem`, are free of the rule.
    """

    importer: str
    forbidden: tuple[str, ...]
    reason: str
    allowed: tuple[str, ...] = ()
    exempt: tuple[str, ...] = ()
    exempt_stem: str = ""


RULES = (
    ImportRule(
        f"{PIPELINE}.integrity",
        tuple(f"{PIPELINE}.{name}" for name in ("warc", "crawl", "index", "jobs", "records")),
        "bytes in, bytes out: integrity knows no page",
    ),
    ImportRule(
        f"{PIPELINE}.warc",
        tuple(f"{PIPELINE}.{name}" for name in ("crawl", "index", "jobs")),
        "archives are read and written without knowing who crawls or indexes them",
    ),
    ImportRule(
        f"{PIPELINE}.crawl",
        (f"{PIPELINE}.index", f"{PIPELINE}.jobs"),
        "crawl and index never import each other, and jobs assembles them",
    ),
    ImportRule(
        f"{PIPELINE}.index",
        (f"{PIPELINE}.warc", f"{PIPELINE}.crawl", f"{PIPELINE}.jobs"),
        "crawl and index never import each other, and jobs assembles them",
    ),
    ImportRule(
        f"{PIPELINE}.storage",
        tuple(f"{PIPELINE}.{name}" for name in ("warc", "crawl", "index", "jobs", "records")),
        "at rest there are files: storage knows neither pages nor jobs, but their folder and lock",
        allowed=(f"{PIPELINE}.jobs.store", f"{PIPELINE}.jobs.lock"),
    ),
    ImportRule(
        PIPELINE,
        (FAULTS, MONITORING),
        "the pipeline cannot tell which channel it was given, nor who watches it",
        exempt=(CLI,),
    ),
    ImportRule(
        MONITORING,
        (
            FAULTS,
            f"{PIPELINE}.warc",
            f"{PIPELINE}.crawl",
            f"{PIPELINE}.index",
            f"{PIPELINE}.jobs",
            f"{PIPELINE}.storage",
            "apache_beam",
        ),
        "monitoring sees values only",
        allowed=(f"{FAULTS}.topology",),
    ),
    ImportRule("sealedbeam", (CLI,), "the command line is the outermost layer", exempt=(CLI,)),
    ImportRule(
        "sealedbeam",
        ("apache_beam",),
        "Beam stays in jobs, objects and transforms, so that the rest starts at once",
        exempt=(
            f"{PIPELINE}.jobs",
            f"{PIPELINE}.integrity.beam",
            *(f"{PIPELINE}.{name}" for name in ("objects", "objects_s3", "objects_gs")),
        ),
        exempt_stem="transforms",
    ),
)


def is_below(module: str, package: str) -> bool:
    """Return whether `module` is `package` or lies in it."""
    return module == package or module.startswith(f"{package}.")


def imported_names(tree: ast.Module, package: str) -> Iterator[str]:
    """Yield the absolute dotted name of all that `tree`, a module of `package`, imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            parts = parts[: len(parts) + 1 - node.level] if node.level else []
            base = ".".join([*parts, node.module] if node.module else parts)
            yield from (f"{base}.{alias.name}" for alias in node.names)


def find_forbidden_imports(
    source: str, module: str, package: str, rules: Sequence[ImportRule] = RULES
) -> list[str]:
    """Return a line for each import in `module`, which lies in `package`, that breaks a rule."""
    names = set(imported_names(ast.parse(source), package))
    return [
        f"{module} imports {name}: {rule.reason}"
        for rule in rules
        if _applies(rule, module)
        for name in sorted(names)
        if any(is_below(name, forbidden) for forbidden in rule.forbidden)
        and not any(is_below(name, allowed) for allowed in rule.allowed)
    ]


def _applies(rule: ImportRule, module: str) -> bool:
    exempt = any(is_below(module, package) for package in rule.exempt)
    return (
        is_below(module, rule.importer)
        and not exempt
        and module.rpartition(".")[2] != rule.exempt_stem
    )


def find_upward_imports(source: str, module: str) -> list[str]:
    """Return a line for each relative import that leaves the module's own package."""
    return [
        f"{module}:{node.lineno} climbs out of its package: write the absolute name"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and node.level > 1
    ]


def heavy_imports(module: str) -> list[str]:
    """Return which of HEAVY a fresh interpreter has loaded after importing `module`."""
    program = f"import {module}, sys; print(*[m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    return done.stdout.split()
