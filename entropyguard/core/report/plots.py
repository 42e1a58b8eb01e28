"""The plots of a report and of a sweep: the same bytes for the same numbers, whatever the machine's settings.

Those of a report are templates of SVG: loading matplotlib would take longer than all else that export does for a small
file. A sweep's may be a PNG, and its axes are laid out: it is drawn by matplotlib, without pyplot.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entropyguard.core.errors import UsageError
from entropyguard.core.pairs.similarity import MILLIONTHS

if TYPE_CHECKING:
    from jinja2 import Environment
    from matplotlib.axes import Axes

    from entropyguard.core.report.pair_stats import Histogram
    from entropyguard.core.report.sweep import Step

_TEMPLATES = Path(__file__).parent / "pages"

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

_SWEEP_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "entropyguard",
    "font.family": ["DejaVu Sans"],
}

PLOT_FORMATS = ("png", "svg")


def similarity_plot(
    histogram: Histogram, threshold: float, width: int = 560, height: int = 240, *, in_page: bool = False
) -> str:
    """How many pairs there are of each similarity, as an SVG of `width` x `height` pixels.

    in_page: as a part of an HTML page, which takes its colours, font and width.
    """
    left, right, top, bottom = 56, width - 14, 30, height - 44
    first, last = int(histogram.edges[0]), int(histogram.edges[-1])
    both: list[int] = (histogram.below + histogram.above).tolist()
    highest = max(1, *both)

    def at(millionths: float) -> float:
        return round(left + (right - left) * (millionths - first) / (last - first), 2)

    def up(count: float) -> float:
        return round(bottom - (bottom - top) * count / (1.05 * highest), 2)

    edges, middle = [at(edge) for edge in histogram.edges.tolist()], [up(count) for count in histogram.below.tolist()]
    mark = at(threshold * MILLIONTHS)
    share = (mark - left) / (right - left)
    steps = 5 if width > 500 else 2
    places = [first + (last - first) * step / steps for step in range(steps + 1)]
    return _drawn(
        "similarity.svg",
        (width, height),
        left=left,
        right=right,
        top=top,
        bottom=bottom,
        below=_stairs(edges, [bottom] * len(both), middle),
        above=_stairs(edges, middle, [up(count) for count in both]),
        counts=[(f"{count:,}", up(count)) for count in _round_counts(highest)],
        places=[(f"{place / MILLIONTHS:.3f}".rstrip("0").rstrip("."), at(place)) for place in places],
        threshold=f"{threshold:g}",
        threshold_x=mark,
        anchor="start" if share < 0.12 else "end" if share > 0.88 else "middle",
        in_page=in_page,
    )


def rows_plot(steps: Sequence[tuple[str, int, Any]], width: int = 560, height: int = 208) -> str:
    """How many rows are left after each step, as an SVG of `width` x `height` pixels."""
    left, most = 150, max(1, *(rows for _, rows, _ in steps))
    line = (height - 16) / len(steps)
    bars = []
    for place, (name, rows, _) in enumerate(steps):
        middle, length = 8 + line * (place + 0.5), (width - left - 90) * rows / most
        bars.append((name, f"{rows:,}", round(middle, 2), round(middle - 0.3 * line, 2), round(length, 2)))
    return _drawn("rows.svg", (width, height), left=left, bars=bars, thick=round(0.6 * line, 2))


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
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # As it comes but for these settings, whatever the user's. Asking for the backend would load pyplot.
    default = {key: mpl.rcParamsDefault[key] for key in mpl.rcParamsDefault if not key.startswith("backend")}
    with mpl.rc_context({**default, **_SWEEP_SETTINGS}):
        figure = Figure(figsize=(8, 4.5), dpi=150, layout="constrained", facecolor=PALETTE["card"])
        axes = figure.add_subplot()
        _draw_sweep(axes, steps, marked)
        axes.set_xlabel(f"threshold ({'word similarity' if near else 'cosine'})")
        axes.set_ylabel(f"rows dropped as {'near-duplicates' if near else 'semantic duplicates'}")
        nothing = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
        figure.savefig(out, format=kind, metadata=nothing)


def _drawn(template: str, size: tuple[int, int], *, in_page: bool = False, **parts: Any) -> str:
    """A template of `pages/` filled in."""
    colours = {name: f"var(--{name})" for name in PALETTE} if in_page else PALETTE
    font = "var(--font)" if in_page else "DejaVu Sans, sans-serif"
    width, height = size
    page = _environment().get_template(template)
    return page.render(width=width, height=height, colour=colours, font=font, alone=not in_page, **parts)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _stairs(edges: Sequence[float], lower: Sequence[float], upper: Sequence[float]) -> str:
    """The outline of what lies between two flights of steps, as the data of an SVG path."""
    there = "".join(f"V{y}H{x}" for x, y in zip(edges[1:], upper, strict=True))
    back = "".join(f"V{y}H{x}" for x, y in zip(edges[-2::-1], lower[::-1], strict=True))
    return f"M{edges[0]} {lower[0]}{there}{back}Z"


def _round_counts(highest: int) -> range:
    """Counts from 0 to at most `highest`, six or fewer, in steps of 1, 2 or 5 times a power of ten."""
    steps = (digit * 10**power for power in range(len(str(highest))) for digit in (1, 2, 5))
    return range(0, highest + 1, next(step for step in steps if highest <= 5 * step))


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
