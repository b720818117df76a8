"""Pages that would stall the HTML engine are refused, pages as people write them are not."""

from __future__ import annotations

import pytest
from sealedbeam.pipeline.index.complexity import is_too_complex

_HOSTILE = [
    b"<div>" * 1_000_000,
    b"<div>" * 100_000 + b"</p>" * 100_000,
    b"<ul><li>" * 100_000,
    b"<dl><dd>" * 100_000,
    b"".join(b"<p><font color=%d>x" % number for number in range(5_000)),
    b"<p>" + b"".join(b"<FONT color=%d>" % number for number in range(1_000)) + b"<p>x" * 2_000,
    b"<a " + b"".join(b"a%d=1 " % number for number in range(100_000)) + b">",
    b"<div>" * 200_000 + b"</div>" * 200_000,
    b"<div></x>" * 100_000,
    b"<div><!--</div>-->" * 50_000 + b"<p></p>" * 100_000,
    b"<div a='</div>'>" * 50_000 + b"<p></p>" * 100_000,
    b"<svg><title>" * 50_000,
    b"<span><div></span>" * 50_000 + b"<p>" * 50_000,
    b"<br>" * 1_000_001,
    b"<p " + b"".join(b"a%d='>'" % number for number in range(50_000)) + b">",
    b"<html a=b>" + b"".join(b"<html a%d=1>" % number for number in range(50_000)),
    b"<p " + b"a b c d e f g h " * 300_000 + b">",
    b"<p>" + b"".join(b"<b a%d=>" % number for number in range(1_000)) + b"<p>x" * 1_500,
    b"<table><td><p>" + b"".join(b"<i a%d=>" % n for n in range(1_000)) + b"<p>x</p>" * 50_000,
    b"<a =\"='" * 400_000,
]
_HARMLESS = [
    b"",
    b"<div>" * 3_000,
    b"<p>x" * 100_000,
    b"<li>x<br>" * 100_000,
    b"<table>" + b"<tr><td>x" * 50_000,
    b"<b>" * 20_000,
    b"<p><b>x" * 20_000,
    b"<p><font color=red>x</font></p>" * 50_000,
    b"<p><font color=red>x" * 500,
    b"<div><p>x</p></div>" * 50_000,
    b"<pre>" + b"a few words " * 100_000,
    b"<img src='data:" + b"QUJD" * 100_000 + b"'>",
    b"<p data-x='" + b"a few words " * 50_000 + b"'>",
    b"<svg>" + b"<g><path d='M 1 1 L 2 2'/></g>" * 20_000,
    b"<table>" + b"<tr><td><font color=red>x</font><td><b>y</b>" * 20_000 + b"</table>",
    b"<p>" + b"".join(b"<code class=c%d>x</code> " % number for number in range(20_000)),
    b"<dl>" + b"<dt>x<dd>y<p>z" * 30_000,
    b"<script>" + b"if (a < b) x = '<div>'; " * 20_000 + b"</script><p>x",
    b"<select>" + b"<option>x" * 50_000 + b"</select>",
    b"<ul>" + b"<li><a href=x>y</a><ul><li>z</ul>" * 20_000 + b"</ul>",
    b"<p><b>x" * 7_000 + b"<table><tr><td>y</table>" * 7_000,
    b"<p>a < b " * 100_000,
    b"<!--" * 900_000,
    b"<title>" * 50_000,
]


@pytest.mark.parametrize("source", _HOSTILE, ids=range(len(_HOSTILE)))
def test_hostile_pages_are_refused(source: bytes) -> None:
    """Deep nesting, formatting that multiplies and countless attributes are seen beforehand."""
    assert is_too_complex(source)


@pytest.mark.parametrize("source", _HARMLESS, ids=range(len(_HARMLESS)))
def test_careless_pages_are_not(source: bytes) -> None:
    """Many tags without an end, long texts and long attributes are no reason to refuse a page."""
    assert not is_too_complex(source)
