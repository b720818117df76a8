"""Fuzzes one target with atheris, in this process.

`python -m tests.fuzz.engine TARGET [ARGUMENT...]`, with libFuzzer's arguments. Coverage is counted
in each function of the modules that the target names, whichever way they were imported.
"""

from __future__ import annotations

import gc
import sys
import tempfile
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING

import atheris

from tests.fuzz.targets import load

if TYPE_CHECKING:
    from tests.fuzz.target import Target

_SHORT_BYTES = 256


def instrument(modules: tuple[str, ...]) -> None:
    """Make every function of these modules report its branches."""
    for value in gc.get_objects():
        if isinstance(value, FunctionType) and str(value.__module__).startswith(modules):
            atheris.instrument_func(value)


def dictionary(target: Target) -> str:
    """Return the target's tokens as libFuzzer reads them."""
    quoted = ("".join(f"\\x{byte:02x}" for byte in token) for token in target.tokens)
    return "".join(f'"{token}"\n' for token in quoted)


def _len_control(target: Target) -> int:
    """Return how slowly the inputs are to grow; short ones need not begin at a few bytes."""
    return 0 if target.max_bytes <= _SHORT_BYTES else 100


def main() -> None:
    """Fuzz until libFuzzer's own limits end the process."""
    name, *arguments = sys.argv[1:]
    target = load(name)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        seeds = Path(folder, "seeds")
        seeds.mkdir()
        for number, seed in enumerate(target.seeds()):
            (seeds / f"seed-{number:03d}").write_bytes(seed)
        options = [f"-max_len={target.max_bytes}", f"-len_control={_len_control(target)}"]
        if target.tokens:
            tokens = Path(folder, "tokens")
            tokens.write_text(dictionary(target))
            options.append(f"-dict={tokens}")
        instrument(target.modules)
        if not any(Path(argument).is_file() for argument in arguments):
            arguments.append(str(seeds))  # else libFuzzer is to run these files alone
        # What libFuzzer takes for the program, it starts again as a command to merge or minimise.
        program = f"{sys.executable} -m tests.fuzz.engine {name}"
        atheris.Setup([program, *options, *arguments], target.check)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
