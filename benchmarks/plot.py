"""A figure with logarithmic axes as SVG: dark text on white, every line named at its end."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from itertools import cycle
from math import ceil, floor, log10
from typing import NamedTuple

WIDTH, HEIGHT = 960, 560
LEFT, RIGHT, TOP, BOTTOM = 80, 350, 24, 60  # margins; the names stand in the right one
OURS = ("#0b5394", "#1c7ed6", "#4a90c2", "#003366", "#5b7db1", "#2a6f97")
OTHERS = ("#b02a37", "#9c5700", "#2b7a3d", "#6f42a5", "#555555", "#8a1c6b")
LINE_HEIGHT = 17
PREFIXES = {0: "", 3: " thousand", 6: " million", 9: " billion"}


class Line(NamedTuple):
    """Points (x, y), all above 0, in the order of x; ``ours`` lines are drawn thick."""

    name: str
    points: list[tuple[float, float]]
    ours: bool


def _scale(values: list[float], low: int, high: int) -> tuple[Callable[[float], float], list[int]]:
    """Where a value is drawn, and the powers of ten in between and around."""
    first, last = floor(log10(min(values)) + 1e-9), ceil(log10(max(values)) - 1e-9)
    last = max(last, first + 1)

    def place(value: float) -> float:
        return low + (high - low) * (log10(value) - first) / (last - first)

    return place, [*range(first, last + 1)]


def _power(exponent: int) -> str:
    if exponent < 0:
        return f"{10.0**exponent:g}"
    whole = exponent - exponent % 3
    return f"{10 ** (exponent % 3)}{PREFIXES.get(whole, f'e{whole}')}"


def _apart(wanted: list[float]) -> list[float]:
    """Heights for names that do not run into each other, as near as may be to those wanted (in rising order)."""
    placed: list[float] = []
    for height in wanted:
        placed.append(max(height, placed[-1] + LINE_HEIGHT) if placed else height)
    over = max(0.0, placed[-1] - (HEIGHT - BOTTOM)) if placed else 0.0
    for place in reversed(range(len(placed))):  # pushed up from below if they ran out of the figure
        limit = HEIGHT - BOTTOM - LINE_HEIGHT * (len(placed) - 1 - place)
        placed[place] = min(placed[place], limit) if over else placed[place]
    return placed


def figure(lines: list[Line], x_title: str, y_title: str) -> str:
    """The whole SVG."""
    if not lines:
        return '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>\n'
    points = [point for line in lines for point in line.points]
    x, x_powers = _scale([point[0] for point in points], LEFT, WIDTH - RIGHT)
    y, y_powers = _scale([point[1] for point in points], HEIGHT - BOTTOM, TOP)
    pieces = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="sans-serif" font-size="14" fill="#222">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        *(_upright(x(10.0**power), _power(power)) for power in x_powers),
        *(_level(y(10.0**power), _power(power)) for power in y_powers),
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 14}" text-anchor="middle">{escape(x_title)}</text>',
        f'<text transform="translate(20 {HEIGHT / 2}) rotate(-90)" text-anchor="middle">{escape(y_title)}</text>',
        *_curves(lines, x, y),
        "</svg>",
    ]
    return "\n".join(pieces) + "\n"


def _upright(place: float, text: str) -> str:
    low = HEIGHT - BOTTOM
    return (
        f'<line x1="{place:.1f}" x2="{place:.1f}" y1="{TOP}" y2="{low}" stroke="#ddd"/>'
        f'<text x="{place:.1f}" y="{low + 20}" text-anchor="middle">{text}</text>'
    )


def _level(place: float, text: str) -> str:
    return (
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{place:.1f}" y2="{place:.1f}" stroke="#ddd"/>'
        f'<text x="{LEFT - 8}" y="{place + 5:.1f}" text-anchor="end">{text}</text>'
    )


def _curves(lines: list[Line], x: Callable[[float], float], y: Callable[[float], float]) -> list[str]:
    """The lines and their names, each name joined to its line's end."""
    colours = {True: cycle(OURS), False: cycle(OTHERS)}
    ordered = sorted(lines, key=lambda line: y(line.points[-1][1]))
    heights = _apart([y(line.points[-1][1]) for line in ordered])
    pieces, edge = [], WIDTH - RIGHT
    for line, height in zip(ordered, heights, strict=True):
        colour, width = next(colours[line.ours]), 3 if line.ours else 1.5
        places = [(x(a), y(b)) for a, b in line.points]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
        pieces.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>')
        pieces += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="{width + 0.5}" fill="{colour}"/>' for a, b in places]
        end_x, end_y = places[-1]
        pieces.append(
            f'<polyline points="{end_x:.1f},{end_y:.1f} {edge + 6},{height:.1f} {edge + 14},{height:.1f}" fill="none" '
            f'stroke="{colour}" stroke-dasharray="2 3"/>'
        )
        weight = ' font-weight="bold"' if line.ours else ""
        name = f'<text x="{edge + 18}" y="{height + 5:.1f}" fill="{colour}"{weight}>{escape(line.name)}</text>'
        pieces.append(name)
    return pieces
