"""The timeline chart as inline SVG: load and answers above, waiting below, faults as bands through both.

Colours are classes of page.css (light and dark); nothing is told by colour alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import escape

from paydrill.report.plain import printable
from paydrill.report.series import Band, Bin, Series

WIDTH, LEFT, RIGHT = 960, 82, 12
LABEL_ROW = 17
RATE_HEIGHT, WAIT_HEIGHT, BETWEEN, BOTTOM = 150, 110, 26, 34


@dataclass(frozen=True)
class Lane:
    """A strip of the chart with its own y axis from 0 to `top`."""

    y: float
    height: float
    top: float

    def at(self, value: float) -> float:
        return self.y + self.height * (1 - min(value, self.top) / self.top)


def chart(series: Series) -> str:
    """An `<svg>` element; empty text when there was no load to draw."""
    if not series.bins:
        return ""
    rows = _label_rows(series.bands)
    above = 8 + LABEL_ROW * (max(rows, default=-1) + 1)
    rates = Lane(above, RATE_HEIGHT, _nice_top(_rates(series.bins)))
    waits = Lane(above + RATE_HEIGHT + BETWEEN, WAIT_HEIGHT, _nice_top(_waits(series.bins)))
    height = waits.y + WAIT_HEIGHT + BOTTOM
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-labelledby="chart-title chart-desc">',
        '<title id="chart-title">Load, answers and waiting over time</title>',
        f'<desc id="chart-desc">{escape(_in_words(series))}</desc>',
        *_bands(series, rows, waits.y + WAIT_HEIGHT),
        *_axis(series, rates, "per s", ""),
        *_axis(series, waits, "wait", "ms"),
        *_rate_lines(series, rates),
        *_wait_lines(series, waits),
        *_seconds_axis(series, waits.y + WAIT_HEIGHT),
        "</svg>",
    ]
    return "\n".join(parts)


def _x(series: Series, t_s: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * min(1.0, max(0.0, t_s / series.end_s))


def _rates(bins: Sequence[Bin]) -> list[float]:
    return [value for one in bins for value in (one.arrivals_per_s, one.ok_per_s, one.not_ok_per_s)]


def _waits(bins: Sequence[Bin]) -> list[float]:
    return [value for one in bins for value in (one.p50_ms, one.p99_ms) if value is not None]


def _nice_top(values: Sequence[float]) -> float:
    """The next of 1, 2, 5 × 10^n above all values."""
    most = max(values, default=0.0) or 1.0
    power = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= most)


def _label_rows(bands: Sequence[Band]) -> list[int]:
    """A row for each band's label, so that labels of neighbouring faults do not overlap."""
    free_at: list[float] = []
    rows = []
    for band in bands:
        fitting = (row for row, free in enumerate(free_at) if free <= band.from_s)
        row = next(fitting, len(free_at))
        # A label needs some room even above a fault of a moment.
        until = max(band.to_s, band.from_s + 0.5 + 0.25 * len(band.label))
        free_at[row:] = [until, *free_at[row + 1 :]]
        rows.append(row)
    return rows


def _bands(series: Series, rows: Sequence[int], bottom: float) -> Iterator[str]:
    for band, row in zip(series.bands, rows, strict=True):
        left, right = _x(series, band.from_s), _x(series, band.to_s)
        seen = "band" if band.witnessed else "band unseen"
        label = escape(printable(band.label, 24) + ("" if band.witnessed else " (not witnessed)"))
        top = 4 + LABEL_ROW * row
        yield (
            f'<rect class="{seen}" x="{left:.1f}" y="{top}" width="{max(1.5, right - left):.1f}" '
            f'height="{bottom - top:.1f}"><title>{label}: {band.from_s:.1f}–{band.to_s:.1f} s</title></rect>'
        )
        yield f'<text class="band-label" x="{left + 4:.1f}" y="{top + 12}">{label}</text>'


def _axis(series: Series, lane: Lane, name: str, unit: str) -> Iterator[str]:
    for share in (0.0, 0.5, 1.0):
        y = lane.at(lane.top * share)
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        value = f"{lane.top * share:g}" + (f" {unit}" if unit and share else "")
        yield f'<text class="tick" text-anchor="end" x="{LEFT - 6}" y="{y + 4:.1f}">{value}</text>'
    y = lane.y + lane.height / 2
    yield f'<text class="tick" transform="rotate(-90 11 {y:.0f})" text-anchor="middle" x="11" y="{y:.0f}">{name}</text>'


def _seconds_axis(series: Series, y: float) -> Iterator[str]:
    step = next((s for s in (1, 2, 5, 10, 30, 60, 300, 600, 3600) if series.end_s / s <= 12), 36000)
    for t_s in range(0, int(series.end_s) + 1, step):
        x = _x(series, t_s)
        yield f'<text class="tick" text-anchor="middle" x="{x:.1f}" y="{y + 16:.1f}">{t_s} s</text>'


def _rate_lines(series: Series, lane: Lane) -> Iterator[str]:
    ok = _points(series, lane, [one.ok_per_s for one in series.bins])
    floor = lane.at(0)
    first, last = ok[0][0], ok[-1][0]
    area = f"M{first:.1f},{floor:.1f} L" + " L".join(f"{x:.1f},{y:.1f}" for x, y in ok)
    yield f'<path class="ok-area" d="{area} L{last:.1f},{floor:.1f} Z"/>'
    yield _path("ok-line", ok)
    yield _path("arrivals-line", _points(series, lane, [one.arrivals_per_s for one in series.bins]))
    yield _path("bad-line", _points(series, lane, [one.not_ok_per_s for one in series.bins]))


def _wait_lines(series: Series, lane: Lane) -> Iterator[str]:
    for name, values in (
        ("p99-line", [one.p99_ms for one in series.bins]),
        ("p50-line", [one.p50_ms for one in series.bins]),
    ):
        yield _path(name, _points(series, lane, values))


def _points(series: Series, lane: Lane, values: Sequence[float | None]) -> list[tuple[float, float]]:
    """One point in the middle of each bin that has a value."""
    half = series.bin_s / 2
    return [
        (_x(series, one.from_s + half), lane.at(value))
        for one, value in zip(series.bins, values, strict=True)
        if value is not None
    ]


def _path(name: str, points: Sequence[tuple[float, float]]) -> str:
    if not points:
        return ""
    return f'<path class="{name}" d="M' + " L".join(f"{x:.1f},{y:.1f}" for x, y in points) + '"/>'


def _in_words(series: Series) -> str:
    faults = "; ".join(f"{band.label} {band.from_s:.1f} to {band.to_s:.1f} s" for band in series.bands)
    return printable(f"{series.end_s:.0f} seconds of load. Faults: {faults or 'none'}.", 2000)
