"""Time and memory of every stage against the number of rows: a table, an exponent for each stage, and a picture.

    python benchmarks/cost.py [--largest 1000000] [--picture docs/cost.png]

Short texts of 8 to 22 words are made, a tenth of them exact copies. All stages run over seven sizes, a thousandth of
the largest up to it, with a static model of 256 dimensions, since a transformer would take hours at a million rows;
embed also runs with MiniLM on the four smallest. Each run starts afresh through the command line.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from corpora import made_texts, write_rows, write_static_model
from measure import megabytes, print_machine, print_table
from pipeline import STAGES, packaged_model, run_entropyguard

ROOT = Path(__file__).parent.parent
TRANSFORMER = "embed, MiniLM"
_FIT_SIZES = 3  # the largest: below, what every run costs whatever its rows hides the growth
_COLOURS = dict(zip((*STAGES, TRANSFORMER), ("C7", "C1", "C6", "C2", "C3", "C4", "C5", "C2"), strict=True))


@dataclass(frozen=True)
class Cost:
    """What a stage took at one size."""

    rows: int
    seconds: float
    peak_bytes: int


Curves = dict[str, list[Cost]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest", type=int, default=1_000_000, metavar="ROWS")
    parser.add_argument("--picture", type=Path, default=ROOT / "docs" / "cost.png", metavar="FILE.png")
    arguments = parser.parse_args()
    print_machine(["torch", "faiss-cpu", "polars"])
    with tempfile.TemporaryDirectory(prefix="entropyguard-cost-") as name:
        work = Path(name)
        sizes = [int(float(f"{size:.2g}")) for size in np.geomspace(arguments.largest / 1000, arguments.largest, 7)]
        curves = _measure(sizes, write_static_model(work / "static model"), STAGES, work)
        curves[TRANSFORMER] = _measure(sizes[:4], packaged_model(), ["embed"], work)["embed"]
    _print(curves)
    _draw(curves, arguments.picture)
    print(f"\n{arguments.picture} written")


def _measure(sizes: Sequence[int], model: Path, stages: Sequence[str], work: Path) -> Curves:
    curves: Curves = {stage: [] for stage in stages}
    for rows in sizes:
        file = write_rows(work / "rows.jsonl", made_texts(rows))
        run = run_entropyguard(file, work / "run", "--model-name", model)
        print(f"{rows:,} rows, {model.name}: {run.measured.seconds:.1f} s", flush=True)
        for stage in stages:
            curves[stage].append(Cost(rows, run.seconds(stage), run.peak_bytes(stage)))
        shutil.rmtree(work / "run")
    return curves


def exponent(costs: Sequence[Cost]) -> float:
    """k where seconds grow as rows**k: the slope of least squares through the logarithms of the largest sizes."""
    rows, seconds = zip(*((cost.rows, cost.seconds) for cost in costs[-_FIT_SIZES:]), strict=True)
    return float(np.polyfit(np.log(rows), np.log(np.maximum(seconds, 1e-3)), 1)[0])


def _print(curves: Curves) -> None:
    sizes = [cost.rows for cost in curves[STAGES[0]]]
    header = ["stage", *(f"{size:,}" for size in sizes)]
    seconds, memory = [], []
    for stage, costs in curves.items():
        none = [""] * (len(sizes) - len(costs))
        seconds.append([stage, *(f"{cost.seconds:.2f}" for cost in costs), *none, f"{exponent(costs):.2f}"])
        memory.append([stage, *(megabytes(cost.peak_bytes) for cost in costs), *none])
    print_table("Seconds, by rows", [*header, "grows as rows^"], seconds)
    print_table("Peak private memory in MB, by rows", header, memory)


def _draw(curves: Curves, picture: Path) -> None:
    """Seconds and memory against rows, both axes logarithmic, a line a stage."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 5.6), layout="constrained")
    for stage, costs in curves.items():
        rows = [cost.rows for cost in costs]
        style: dict[str, Any] = {"color": _COLOURS[stage], "linewidth": 1.8, "markersize": 5}
        style |= {"marker": "^", "linestyle": "--"} if stage == TRANSFORMER else {"marker": "o"}
        label = f"{stage}   (rows$^{{{exponent(costs):.2f}}}$)"
        left.plot(rows, [max(cost.seconds, 0.01) for cost in costs], label=label, **style)
        right.plot(rows, [cost.peak_bytes / 1e6 for cost in costs], **style)
    for axes, title, unit in ((left, "Time of a stage", "seconds"), (right, "Peak private memory of a stage", "MB")):
        axes.set(xscale="log", yscale="log", xlabel="rows", ylabel=unit, title=title)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.yaxis.set_major_formatter("{x:,g}")
        axes.grid(visible=True, which="major", alpha=0.3)
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(picture, dpi=110)
    pyplot.close(figure)


if __name__ == "__main__":
    main()
