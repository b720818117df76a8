"""Plots as SVG inside a page: bars and a timeline, coloured by the classes of its style sheet.

Each plot says in words what it shows (`title` elements, read out and shown on hovering): no colour
carries anything alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .markup import Markup, tag

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH = 860
_LABEL = 190
_VALUE = 130
_ROW = 22
_BAR = 14
_CELL_GAP = 0.5
_LEAST_OPACITY = 0.25


class Piece(NamedTuple):
    """A stretch of a bar: its class, its length, and what it stands for."""

    kind: str
    number: float
    words: str


class Bar(NamedTuple):
    """A row of a bar chart: its label, its stretches, and the words behind it."""

    label: str
    pieces: Sequence[Piece]
    value: str


class Lane(NamedTuple):
    """A row of a timeline: its label, the words behind it, and a number for each column."""

    label: str
    value: str
    numbers: Sequence[int]


class Span(NamedTuple):
    """A stretch of a timeline, in columns, with its name."""

    start: float
    end: float
    words: str


def _svg(title: str, height: float, *children: str) -> Markup:
    return tag(
        "svg",
        tag("title", title),
        *children,
        viewBox=f"0 0 {WIDTH} {height:g}",
        role="img",
        class_="plot",
    )


def _text(x: float, y: float, words: str, kind: str = "") -> Markup:
    return tag("text", words, x=f"{x:g}", y=f"{y:g}", class_=kind)


def _box(kind: str, corner: tuple[float, float], size: tuple[float, float], words: str) -> Markup:
    return tag(
        "rect",
        tag("title", words),
        x=f"{corner[0]:.2f}",
        y=f"{corner[1]:.2f}",
        width=f"{size[0]:.2f}",
        height=f"{size[1]:.2f}",
        class_=kind,
    )


def draw_bars(title: str, bars: Sequence[Bar], full: float) -> Markup:
    """Return a chart of horizontal bars; one of length `full` goes across."""
    room = WIDTH - _LABEL - _VALUE
    children: list[str] = []
    for row, bar in enumerate(bars):
        top = row * _ROW + 4
        children.append(_text(0, top + _BAR - 2, bar.label))
        left = float(_LABEL)
        for piece in bar.pieces:
            length = room * piece.number / full if full else 0.0
            if length > 0:
                words = f"{bar.label}: {piece.words}"
                children.append(_box(piece.kind, (left, top), (length, _BAR), words))
            left += length
        children.append(_text(left + 6, top + _BAR - 2, bar.value, "dim"))
    return _svg(title, len(bars) * _ROW + 6, *children)


def draw_timeline(
    title: str, lanes: Sequence[Lane], spans: Sequence[Span], ends: tuple[str, str]
) -> Markup:
    """Return a timeline: a lane for each row, darker where its number is higher.

    Args:
        title: what it shows.
        lanes: from top to bottom, all of one length.
        spans: stretches that are framed through all lanes.
        ends: the words below the first and the last column.
    """
    columns = max((len(lane.numbers) for lane in lanes), default=1)
    highest = max((max(lane.numbers, default=0) for lane in lanes), default=0)
    step = (WIDTH - _LABEL - _VALUE) / columns
    head = 18
    bottom = head + len(lanes) * _ROW
    children: list[str] = []
    for row, lane in enumerate(lanes):
        children += _draw_lane(lane, head + row * _ROW, step, highest)
    for span in spans:
        left = _LABEL + span.start * step
        size = ((span.end - span.start) * step, bottom - head)
        children.append(_box("frame", (left, head - 2), size, span.words))
        children.append(_text(left, head - 6, span.words, "dim"))
    children.append(_text(_LABEL, bottom + 14, ends[0], "dim"))
    children.append(tag("text", ends[1], x=f"{WIDTH - _VALUE}", y=f"{bottom + 14}", class_="end"))
    return _svg(title, bottom + 20, *children)


def _draw_lane(lane: Lane, top: float, step: float, highest: int) -> list[str]:
    children: list[str] = [_text(0, top + _BAR - 2, lane.label)]
    for column, number in enumerate(lane.numbers):
        if number:
            shade = _LEAST_OPACITY + (1 - _LEAST_OPACITY) * number / highest
            corner = (_LABEL + column * step, top)
            box = tag(
                "rect",
                tag("title", f"{lane.label}: {number:,}"),
                x=f"{corner[0]:.2f}",
                y=f"{corner[1]:.2f}",
                width=f"{step - _CELL_GAP:.2f}",
                height=f"{_BAR}",
                class_="heat",
                opacity=f"{shade:.2f}",
            )
            children.append(box)
    children.append(_text(WIDTH - _VALUE + 6, top + _BAR - 2, lane.value, "dim"))
    return children
