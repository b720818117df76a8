from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import apache_beam as beam
import pytest
from sealedbeam.pipeline.integrity import transforms

if TYPE_CHECKING:
    from pathlib import Path


def test_documented_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The example in the module's docstring runs as it stands, and sets nothing aside."""
    monkeypatch.chdir(tmp_path)
    example = textwrap.dedent((transforms.__doc__ or "").split("Example:\n")[1])
    names = {name: getattr(transforms, name) for name in transforms.__all__}
    exec(compile(example, "example", "exec"), {"beam": beam, **names})
    assert sorted(capsys.readouterr().out.split("\n")) == ["", "A PAGE", "ANOTHER PAGE"]
    written = sorted(tmp_path.glob("damaged/*"))
    assert [path.read_text() for path in written] == ["", ""]


@pytest.mark.parametrize("name", transforms.__all__)
def test_public_names_are_documented(name: str) -> None:
    """Everything that users import says what it is; transforms show how they are used."""
    thing = getattr(transforms, name)
    if isinstance(thing, type):
        assert thing.__doc__
        shown = "Example:" in thing.__doc__
        assert shown == (issubclass(thing, (beam.PTransform, transforms.SealedCoder)))
