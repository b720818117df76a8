"""What a campaign may be told on the command line; every mistake is one line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.errors import UsageError
from sealedbeam.pipeline.filesystems import local_folder
from sealedbeam.pipeline.integrity.ladder import OnDamage
from sealedbeam.pipeline.integrity.protection import PROTECTIONS

from .campaign_cells import AUDITED, Campaign, Chosen, load_scenarios, require_own

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

POLICIES = (str(OnDamage.RETRY), str(OnDamage.DROP))
_PROTECTIONS = (*PROTECTIONS, *(name + AUDITED for name in PROTECTIONS))
SEED_MAX = (1 << 64) - 1
WORKERS_MAX = 1024
_OF_THE_CAMPAIGN = {
    "inputs": "--input",
    "workers": "--workers",
    "max_dropped_ratio": "--max-dropped-ratio",
    "audited_share": "--audited-share",
}
_SAMPLE = Path("seeds") / "sample.warc.gz"
_BESIDE_SCENARIOS = Path("..") / ".."
"""A scenario of the project lies two folders below the sample's."""


def read_options(options: Mapping[str, Any]) -> Campaign:
    """Return the campaign that the options of the command describe.

    Raises:
        UsageError: an option is not allowed, or a scenario cannot be read.
    """
    scenarios: Sequence[Path] = options["scenarios"]
    if not scenarios:
        raise UsageError("no scenario is given; give one, such as configs/scenarios/supernova.yaml")
    ratio, share = options["max_dropped_ratio"], options["audited_share"]
    workers = options["workers"]
    if not 0 <= ratio <= 1:
        raise UsageError(f"--max-dropped-ratio is {ratio:g}; allowed: a number from 0 to 1")
    if not 0 < share <= 1:
        raise UsageError(f"--audited-share is {share:g}; allowed: a number, more than 0 to 1")
    if workers is not None and not 1 <= workers <= WORKERS_MAX:
        raise UsageError(f"--workers is {workers}; allowed: a whole number from 1 to {WORKERS_MAX}")
    chosen, by_name = load_scenarios(scenarios)
    output = local_folder(options["output"])
    require_own(output)
    return Campaign(
        chosen,
        by_name,
        tuple(options["inputs"]) or (_find_sample(scenarios),),
        output,
        _choose("--protections", options["protections"], _PROTECTIONS),
        _choose("--on-damage", options["on_damage"], POLICIES),
        _read_seeds(options["seeds"]),
        ratio,
        share,
    )


def choose_cells(options: Mapping[str, Any]) -> Chosen:
    """Return in which cells the options have a fault looked for: all, or those that they name.

    Raises:
        UsageError: an option is not allowed, or says what the campaign itself has said.
    """
    given = options["given"]
    for name, option in _OF_THE_CAMPAIGN.items():
        if name in given:
            raise UsageError(f"--replay has that from the campaign itself; leave out {option}")
    return Chosen(
        tuple(path.stem for path in options["scenarios"]),
        _choose("--protections", options["protections"], _PROTECTIONS)
        if "protections" in given
        else (),
        _choose("--on-damage", options["on_damage"], POLICIES) if "on_damage" in given else (),
        _read_seeds(options["seeds"]) if "seeds" in given else (),
    )


def _find_sample(scenarios: Iterable[Path]) -> str:
    """Return the sample web: below the current folder, or that of the project's scenarios."""
    for folder in (Path(), *(path.parent / _BESIDE_SCENARIOS for path in scenarios)):
        if (folder / _SAMPLE).is_file():
            return os.path.normpath(folder / _SAMPLE)
    raise UsageError(f"no archive is given, and {_SAMPLE} is not here; give one with --input")


def _choose(option: str, text: str, allowed: Iterable[str]) -> tuple[str, ...]:
    """Return the words of a list, each once and in its order."""
    known = tuple(allowed)
    words = tuple(dict.fromkeys(word.strip() for word in text.split(",")))
    for word in words:
        if word not in known:
            raise UsageError(f"{option} names {word!r}; allowed: {', '.join(known)}, with commas")
    return words


def _read_seeds(text: str) -> tuple[int, ...]:
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if not (word.isascii() and word.isdigit() and len(word) <= len(str(SEED_MAX))) or (
            int(word) > SEED_MAX
        ):
            raise UsageError(
                f"--seeds names {word!r}; allowed: whole numbers from 0 to {SEED_MAX}, with commas"
            )
    return tuple(dict.fromkeys(map(int, words)))
