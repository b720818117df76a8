"""One file for a crawl and the index of it: two sections, each with the options of its command.

Paths in the file are relative to its folder, so that the command means the same wherever it is
given. Every mistake is told with the line and the path of the value.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - pydantic reads the types of the fields
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from .config import INDEX_OPTIONS, CommandConfig
from .errors import UsageError
from .jobs.crawl.config import CRAWL_OPTIONS, CrawlCommandConfig, Texts
from .jobs.crawl.seeds import names_file
from .options import Options, beside, is_unknown, nearest, with_underscores
from .text import one_line
from .yaml_files import read_yaml_with_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .yaml_files import Lines

CRAWL, INDEX = "crawl", "index"
_SHOWN = dict.fromkeys(("quiet", "json"), "belongs on the command line")
_EXAMPLES = {
    CRAWL: "`crawl: {seeds: [https://example.org/], output: crawl, user_agent: ...}`",
    INDEX: "`index: {output: index}`",
}


class CrawlSection(CrawlCommandConfig):
    """The section `crawl`."""

    seeds: Annotated[
        Texts, Field(min_length=1, description="a list of addresses, and files with one to a line")
    ]
    output: Annotated[Path, Field(description="a folder for the archives")]


class IndexSection(CommandConfig):
    """The section `index`."""

    output: Annotated[Path, Field(description="a folder for the index")]


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What a file asks for; all paths are relative to the current folder, or absolute."""

    crawl: CrawlSection
    index: IndexSection


def _check_crawl(config: CrawlSection) -> Iterator[tuple[str, str]]:
    yield from CRAWL_OPTIONS.find_contradictions(config)
    if not config.user_agent:
        yield (
            "user_agent",
            (
                "is missing; say who crawls, such as 'mybot/1.0 (+https://example.org/bot)', so "
                "that the owners of sites know whom to ask"
            ),
        )


def _check_index(config: IndexSection) -> Iterator[tuple[str, str]]:
    yield from INDEX_OPTIONS.find_contradictions(config)
    if not config.is_local:
        yield "runner", "is for the command index alone; leave it out"


_SECTIONS: Mapping[str, Options[Any]] = {
    CRAWL: Options(CrawlSection, _check_crawl, _SHOWN | {"config": "is for the command crawl"}),
    INDEX: Options(
        IndexSection,
        _check_index,
        _SHOWN
        | dict.fromkeys(("input", "inputs"), "is what the crawl brings; leave it out")
        | dict.fromkeys(("config", "expect"), "is for the command index alone"),
    ),
}


def load_run(path: Path) -> RunPlan:
    """Return what the YAML file `path` asks for.

    Raises:
        UsageError: it cannot be read, or something in it is not allowed; it names all of that.
    """
    loaded, lines = read_yaml_with_lines(path, "configuration")
    if not isinstance(loaded, dict):
        raise UsageError(f"{path}: a run has two sections, {' and '.join(_EXAMPLES.values())}")
    told = [
        f"line {lines.get((str(name),), 1)}: {name} is no section; "
        f"{nearest(str(name), _SECTIONS) or f'there are {CRAWL} and {INDEX}'}"
        for name in loaded
        if name not in _SECTIONS
    ]
    sections = {}
    for name in _SECTIONS:
        sections[name], problems = _check_section(path, name, loaded.get(name), lines)
        told += problems
    if told:
        raise UsageError(one_line(f"{path}: {'; '.join(told)}"))
    return RunPlan(sections[CRAWL], sections[INDEX])


def _check_section(path: Path, name: str, values: Any, lines: Lines) -> tuple[Any, list[str]]:
    """Return the options in a section, and what is wrong with them in words."""
    options = _SECTIONS[name]
    if not isinstance(values, dict):
        said = "is missing" if values is None else "is no mapping"
        return None, [f"the section {name} {said}; write {_EXAMPLES[name]}"]
    given = with_underscores(values, f"{path}: {name}")
    given = beside(path, given, "output", "scenario")
    if isinstance(given.get("seeds"), list):
        given["seeds"] = [_seed(path, seed) for seed in given["seeds"]]
    config, problems = options.check(given)
    line = lines.get((name,), 1)
    spelled = {str(key).replace("-", "_"): str(key) for key in values}
    told = [
        f"line {lines.get((name, spelled.get(key, key)), line)}: {name}.{key} {problem}"
        for key, problem in problems.items()
    ]
    if any(map(is_unknown, problems.values())):
        told.append(f"in {name} {options.list_keys()}")
    return config, told


def _seed(path: Path, seed: Any) -> Any:
    """Return a seed, with the path of the file that it names if it names one."""
    beside_it = str(path.parent / seed) if isinstance(seed, str) and "://" not in seed else ""
    return beside_it if beside_it and names_file(beside_it) else seed
