"""The codes that are compared keep what is known of them."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np
import pytest

from tests.benchmarks.codes import CODES, Code
from tests.benchmarks.line_plot import draw_lines
from tests.benchmarks.protections import try_code
from tests.proof.strokes import burst, flip

BY_NAME = {code.name: code for code in CODES}
each_code = pytest.mark.parametrize("code", CODES, ids=[code.name for code in CODES])
DATA = np.random.default_rng(1).bytes(1_003)


@each_code
def test_what_is_stored_comes_back(code: Code) -> None:
    """Undamaged bytes give the data, also where its size fits no word and no share."""
    for size in (1, 223, 224, 1_003):
        assert DATA[:size] == code.recover(code.protect(DATA[:size]), size)


@each_code
def test_one_flip_is_put_right_by_all_that_correct(code: Code) -> None:
    """One flip anywhere in what is stored; only `detect` loses the record, and says so."""
    rates = try_code(code, DATA, lambda rows, random: flip(rows, 1, random), 20)
    assert rates.wrong == 0
    if code.name != "detect":
        assert rates.restored == 1


def test_what_bursts_do() -> None:
    """64 adjacent bits are put right by parity, by 16 bytes of Reed-Solomon, and by shares."""
    for name in ("parity", "Reed-Solomon(255,223)", "zfec 10+2"):
        rates = try_code(BY_NAME[name], DATA, lambda rows, random: burst(rows, 64, random), 10)
        assert rates == (1, 0, 0)


def test_two_flips_in_a_word_are_noticed_by_secded() -> None:
    """Two flips are what it reports, and three it may take for one: that is not noticed."""
    code = BY_NAME["SEC-DED(72,64)"]

    def strike(rows: np.ndarray, flips: int) -> None:
        rows[0, :1] ^= np.uint8((1 << flips) - 1)

    two = try_code(code, DATA, lambda rows, _: strike(rows, 2), 1)
    three = try_code(code, DATA, lambda rows, _: strike(rows, 3), 1)
    assert two == (0, 1, 0)
    assert three.restored == 0


def test_plot_is_xml_with_every_name() -> None:
    """Names stand in it as text, whatever characters they have."""
    drawn = draw_lines("a < b", (1, 2), {"<one>": [0, 100], "two": [50, 50]})
    texts = [element.text for element in ET.fromstring(drawn).iter()]
    assert {"a < b", "<one>", "two"} <= set(texts)
