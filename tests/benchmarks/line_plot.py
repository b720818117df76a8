"""Draws lines over a few named places as an SVG that can stand in a Markdown page."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Okabe and Ito's colours: told apart by nearly everyone.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_DASHES = ("none", "6 3", "none", "2 3", "none", "8 3 2 3")
_WIDTH, _HEIGHT = 720, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 180, 30, 34
_TICKS = (0, 25, 50, 75, 100)


def draw_lines(title: str, places: Sequence[int], lines: Mapping[str, Sequence[float]]) -> str:
    """Return an SVG with one line for each name, of values between 0 and 100 at each place."""
    step = (_WIDTH - _LEFT - _RIGHT) / (len(places) - 1)
    rise = (_HEIGHT - _TOP - _BOTTOM) / _TICKS[-1]

    def at(number: int, value: float) -> tuple[float, float]:
        return _LEFT + step * number, _HEIGHT - _BOTTOM - rise * value

    drawn = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
            'font-family="sans-serif" font-size="12">'
        ),
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="18" font-weight="bold">{escape(title)}</text>',
    ]
    for tick in _TICKS:
        _, y = at(0, tick)
        drawn.append(f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" stroke="#ddd"/>')
        drawn.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick}</text>')
    for number, place in enumerate(places):
        x, _ = at(number, 0)
        drawn.append(f'<text x="{x:.1f}" y="{_HEIGHT - 12}" text-anchor="middle">{place}</text>')
    for number, (name, values) in enumerate(lines.items()):
        colour, dash = _COLOURS[number], _DASHES[number]
        stroke = f'stroke="{colour}" stroke-width="2.5" stroke-dasharray="{dash}"'
        path = " ".join("{:.1f},{:.1f}".format(*at(*point)) for point in enumerate(values))
        y = _TOP + 22 * number + 10
        right = _WIDTH - _RIGHT + 14
        drawn.append(f'<polyline points="{path}" fill="none" {stroke}/>')
        drawn.append(f'<path d="M{right} {y}h22" {stroke}/>')
        drawn.append(f'<text x="{right + 28}" y="{y + 4}">{escape(name)}</text>')
    return "\n".join([*drawn, "</svg>", ""])
