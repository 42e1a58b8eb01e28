"""The plot of a sweep. Drawn by matplotlib without pyplot: the same picture whatever the machine's settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entropyguard.core.errors import UsageError
from entropyguard.core.report.plots import PALETTE, drawn_with
from entropyguard.core.report.sweep import Step

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PLOT_FORMATS = ("png", "svg")

_SETTINGS: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "entropyguard", "font.family": ["DejaVu Sans"]}


def plot_format(path: Path) -> str:
    """png or svg by the file's ending; UsageError for any other."""
    ending = path.suffix.lower().removeprefix(".")
    if ending not in PLOT_FORMATS:
        raise UsageError(f"--plot {path}: the ending tells the format; known are .png and .svg.")
    return ending


def write_plot(steps: Sequence[Step], marked: float, out: Path, kind: str) -> None:
    """Draw how many rows each threshold drops, with a line at the threshold `marked`, as a PNG or SVG."""
    from matplotlib.figure import Figure

    with drawn_with(_SETTINGS):
        figure = Figure(figsize=(8, 4.5), dpi=150, layout="constrained", facecolor=PALETTE["card"])
        axes = figure.add_subplot()
        _draw(axes, steps, marked)
        nothing = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
        figure.savefig(out, format=kind, metadata=nothing)


def _draw(axes: Axes, steps: Sequence[Step], marked: float) -> None:
    from matplotlib.ticker import MaxNLocator

    thresholds, dropped = [step.threshold for step in steps], [step.dropped for step in steps]
    rows = max(1, steps[0].rows)
    axes.plot(thresholds, dropped, color=PALETTE["semantic"], marker="o", markersize=4)
    axes.set_ylim(0, max(1, *dropped) * 1.05)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("threshold (cosine)")
    axes.set_ylabel("rows dropped as semantic duplicates")

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
