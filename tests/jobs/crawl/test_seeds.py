"""Seeds are addresses, files of them and standard input; what is none is told before any work."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from sealedbeam.pipeline.errors import UsageError
from sealedbeam.pipeline.jobs.crawl.seeds import read_seeds, seed_lines

if TYPE_CHECKING:
    from pathlib import Path


def test_files_standard_input_and_addresses_are_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines are taken in order, each address once and canonical; comments and blanks are none."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "example.org").write_text("# a comment\n\n http://a.example/x \nhttp://b.example\n")
    monkeypatch.setattr("sys.stdin", io.StringIO("c.example/#part\n"))
    words = ["example.org", "-", "HTTP://A.example:80/x", "d.example"]
    assert read_seeds(seed_lines(words)) == [
        "http://a.example/x",
        "http://b.example/",
        "https://c.example/",
        "https://d.example/",
    ]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("seeds.txt", "seeds.txt is no file of seeds"),
        ("/no/such/file", "/no/such/file is no file of seeds"),
        ("../x", "../x is no file of seeds"),
        ("~/x", "is no file of seeds"),
        ("a" * 5000, "is no address of the web"),
        ("not an address", "seed 1, 'https://not an address', is no address of the web"),
        ("gopher://x/", "is no address of the web"),
        ("#", "there is no seed to begin with"),
    ],
)
def test_what_is_no_seed_is_told(word: str, said: str) -> None:
    """A file that is not there is not taken for a host; the message is one line."""
    with pytest.raises(UsageError) as caught:
        read_seeds(seed_lines([word]))
    assert said in str(caught.value)
    assert str(caught.value).isprintable()
