"""The plots of a report and of a sweep: the same bytes for the same numbers, whatever the machine's settings.

Drawn by matplotlib without pyplot. Positions are given, not laid out, and texts stay texts, so no font decides a byte.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entropyguard.core.errors import UsageError
from entropyguard.core.pairs.similarity import MILLIONTHS
from entropyguard.core.report.pair_stats import Histogram

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from entropyguard.core.report.sweep import Step

PALETTE = {
    "card": "#ffffff",
    "ink": "#1c2530",
    "soft": "#566171",
    "line": "#dde2e8",
    "kept": "#2c6e9c",
    "below": "#8db4cf",
    "exact": "#b2761b",
    "near": "#a3902c",
    "semantic": "#bf5638",
    "min_length": "#7d6bb0",
    "rejected": "#77828f",
}
"""The colours by their names in the page's style sheet, which has others for dark screens."""

_POINTS_PER_INCH = 72
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "entropyguard",
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans"],  # matplotlib brings it: no font of the machine is looked for
    "font.size": 12,
    "text.color": PALETTE["ink"],
    "axes.edgecolor": PALETTE["line"],
    "xtick.labelcolor": PALETTE["soft"],
    "ytick.labelcolor": PALETTE["soft"],
}

_SWEEP_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "entropyguard",
    "font.family": ["DejaVu Sans"],
}

PLOT_FORMATS = ("png", "svg")


def similarity_plot(histogram: Histogram, threshold: float, width: int = 560, height: int = 240) -> str:
    """How many pairs there are of each similarity, as an SVG of `width` x `height` pixels."""
    with drawn_with(_SETTINGS):
        figure, axes = _figure(width, height, left=56, bottom=44, top=30)
        edges = histogram.edges / MILLIONTHS
        both = histogram.below + histogram.above
        axes.stairs(histogram.below, edges, fill=True, color=PALETTE["below"], clip_on=False)
        axes.stairs(both, edges, baseline=histogram.below, fill=True, color=PALETTE["semantic"], clip_on=False)
        _mark_threshold(axes, threshold, edges)
        axes.set_xlim(edges[0], edges[-1])
        axes.set_ylim(0, max(1, int(both.max()) * 1.05))
        axes.set_xticks(*_similarity_ticks(edges, 5 if width > 500 else 2))
        _count_ticks(axes, int(both.max()))
        _text(figure, 0, height - 14, "pairs", color=PALETTE["soft"])
        _text(figure, width, 6, "similarity (cosine)", color=PALETTE["soft"], ha="right")
        return _svg(figure)


def rows_plot(steps: Sequence[tuple[str, int, Any]], width: int = 560, height: int = 208) -> str:
    """How many rows are left after each step, as an SVG of `width` x `height` pixels."""
    with drawn_with(_SETTINGS):
        figure, axes = _figure(width, height, left=150, right=90, bottom=8, top=8)
        names, rows = [name for name, _, _ in steps], [count for _, count, _ in steps]
        axes.barh(range(len(steps)), rows, height=0.6, color=PALETTE["kept"], clip_on=False)
        axes.set_ylim(len(steps) - 0.5, -0.5)
        axes.set_xlim(0, max(1, *rows))
        axes.set_xticks([])
        axes.set_yticks(range(len(steps)), names)
        axes.spines["bottom"].set_visible(False)
        for place, count in enumerate(rows):
            axes.annotate(f"{count:,}", (count, place), (6, -4), textcoords="offset points", color=PALETTE["ink"])
        return _svg(figure)


def plot_format(path: Path) -> str:
    """png or svg by the file's ending; UsageError for any other."""
    ending = path.suffix.lower().removeprefix(".")
    if ending not in PLOT_FORMATS:
        raise UsageError(f"--plot {path}: the ending tells the format; known are .png and .svg.")
    return ending


def write_sweep_plot(steps: Sequence[Step], marked: float, out: Path, kind: str, *, near: bool = False) -> None:
    """Draw how many rows each threshold drops, with a line at the threshold `marked`, as a PNG or SVG.

    near: it is a threshold of near_dedup.
    """
    from matplotlib.figure import Figure

    with drawn_with(_SWEEP_SETTINGS):
        figure = Figure(figsize=(8, 4.5), dpi=150, layout="constrained", facecolor=PALETTE["card"])
        axes = figure.add_subplot()
        _draw_sweep(axes, steps, marked)
        axes.set_xlabel(f"threshold ({'word similarity' if near else 'cosine'})")
        axes.set_ylabel(f"rows dropped as {'near-duplicates' if near else 'semantic duplicates'}")
        nothing = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
        figure.savefig(out, format=kind, metadata=nothing)


def for_page(svg: str) -> str:
    """An SVG as a part of an HTML page: it takes the page's colours, font and width, and has no ids of its own."""
    for name, colour in PALETTE.items():
        svg = svg.replace(colour, f"var(--{name})")
    svg = svg.replace("'DejaVu Sans', sans-serif", "var(--font)")
    svg = re.sub(r"<defs>.*?</defs>", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r' (?:xmlns|xmlns:xlink|version|id)="[^"]*"', "", svg[svg.index("<svg") :])
    return re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r"\1", svg, count=1)


def drawn_with(settings: dict[Any, Any]) -> Any:
    """matplotlib as it comes but for these settings, whatever the user's: a context manager."""
    import matplotlib as mpl

    # Asking for the backend would load pyplot, which takes longer than drawing.
    default = {key: mpl.rcParamsDefault[key] for key in mpl.rcParamsDefault if not key.startswith("backend")}
    return mpl.rc_context({**default, **settings})


def _figure(width: int, height: int, *, left: int, bottom: int, top: int, right: int = 14) -> tuple[Figure, Axes]:
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / _POINTS_PER_INCH, height / _POINTS_PER_INCH), facecolor=PALETTE["card"])
    FigureCanvasSVG(figure)
    place = (left / width, bottom / height, (width - left - right) / width, (height - bottom - top) / height)
    axes = figure.add_axes(place, facecolor="none")
    axes.spines[["left", "top", "right"]].set_visible(False)
    axes.tick_params(length=0, pad=6)
    axes.set_axisbelow(True)
    return figure, axes


def _text(figure: Figure, x: float, y: float, text: str, **style: Any) -> None:
    """Put a text at a place in pixels from the lower left corner."""
    width, height = figure.get_size_inches() * _POINTS_PER_INCH
    figure.text(x / width, y / height, text, **style)


def _mark_threshold(axes: Axes, threshold: float, edges: Any) -> None:
    axes.axvline(threshold, color=PALETTE["ink"], linewidth=1.2, linestyle=(0, (4, 3)), clip_on=False)
    share = (threshold - edges[0]) / (edges[-1] - edges[0])
    side = "left" if share < 0.12 else "right" if share > 0.88 else "center"
    place = (threshold, 1.0)
    axes.annotate(f"threshold {threshold:g}", place, (0, 6), ("data", "axes fraction"), "offset points", ha=side)


def _similarity_ticks(edges: Any, steps: int) -> tuple[list[float], list[str]]:
    places = [edges[0] + (edges[-1] - edges[0]) * step / steps for step in range(steps + 1)]
    return places, [f"{place:.3f}".rstrip("0").rstrip(".") for place in places]


def _count_ticks(axes: Axes, highest: int) -> None:
    from matplotlib.ticker import MaxNLocator

    places = [int(place) for place in MaxNLocator(4, integer=True).tick_values(0, max(1, highest)) if place <= highest]
    axes.set_yticks(places, [f"{place:,}" for place in places])
    axes.grid(axis="y", color=PALETTE["line"], linewidth=1, clip_on=False)


def _svg(figure: Figure) -> str:
    out = StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(out, format="svg", metadata=nothing)
    return out.getvalue()


def _draw_sweep(axes: Axes, steps: Sequence[Step], marked: float) -> None:
    from matplotlib.ticker import MaxNLocator

    thresholds, dropped = [step.threshold for step in steps], [step.dropped for step in steps]
    rows = max(1, steps[0].rows)
    axes.plot(thresholds, dropped, color=PALETTE["semantic"], marker="o", markersize=4)
    axes.set_ylim(0, max(1, *dropped) * 1.05)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter("{x:,.0f}")

    def as_share(count: Any) -> Any:
        return count / rows

    def as_count(part: Any) -> Any:
        return part * rows

    shares = axes.secondary_yaxis("right", functions=(as_share, as_count))
    shares.yaxis.set_major_formatter("{x:.1%}")
    shares.set_ylabel(f"share of {rows:,} rows")
    axes.grid(axis="y", color=PALETTE["line"])
    axes.set_axisbelow(True)
    if thresholds[0] <= marked <= thresholds[-1]:
        axes.axvline(marked, color=PALETTE["ink"], linestyle="--", label=f"in params: {marked:g}")
        axes.legend(frameon=False)
