"""Takes a line out of the product for one test: the check that it makes is then missing.

    mutate(monkeypatch, _correct, "if digest128(corrected) != stored_digest:", "if False:")

The text has to be there exactly once, so that a mutant cannot quietly become the original.
"""

from __future__ import annotations

import inspect
import textwrap
from types import FunctionType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


def mutate(
    monkeypatch: pytest.MonkeyPatch, function: Callable[..., Any], old: str, new: str
) -> None:
    """Replace `old` by `new` in a module's function, for all who have imported it."""
    assert isinstance(function, FunctionType)
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(old) == 1, f"{function.__name__} has {source.count(old)} of {old!r}"
    namespace: dict[str, Any] = {}
    program = "from __future__ import annotations\n" + source.replace(old, new)
    exec(
        compile(program, f"<mutant of {function.__name__}>", "exec"),
        function.__globals__,
        namespace,
    )
    monkeypatch.setattr(function, "__code__", namespace[function.__name__].__code__)
