"""What `entropyguard sweep` prints: a table of thresholds, then pairs to judge them by."""

from __future__ import annotations

from pathlib import Path

from rich.box import HORIZONTALS
from rich.table import Table
from rich.text import Text

from entropyguard.cli.printing import print_line, write_answer
from entropyguard.cli.printing_tables import terminal
from entropyguard.core.report.lineage import Row
from entropyguard.core.report.plots import plot_format, write_sweep_plot
from entropyguard.core.report.same_template import DIFFERS
from entropyguard.core.report.sweep import TEXT_CHARS, Example, Step
from entropyguard.core.visible import visible
from entropyguard.project.project import Project
from entropyguard.queries.sweep import NEAR, Sweep, share
from entropyguard.run.publish import whole_file
from entropyguard.run.streams import is_stream
from entropyguard.run.targets import check_input, check_targets, targets

_OF_GUARD = ("guard keeps", "pairs apart")


def print_sweep(sweep: Sweep) -> None:
    """The answer on stdout."""
    into = "near_dedup" if sweep.stage == NEAR else "semantic dedup"
    print_line(f"{sweep.steps[0].rows:,} rows come into {into}; it would drop (* is the threshold in params)")
    print_line(_in_force(sweep))
    guarded = sweep.stage != NEAR and bool(sweep.params.semantic.protect)
    table = Table(box=None, pad_edge=False)
    for name in ("threshold", "", "dropped", "share", "change", *(_OF_GUARD if guarded else ())):
        table.add_column(name, justify="right" if name else "left")
    before: Step | None = None
    for step in sweep.steps:
        change = "" if before is None else f"{step.dropped - before.dropped:+,}"
        mark = "*" if step.threshold == sweep.threshold else ""
        kept = _kept_by_guard(step) if guarded else ()
        table.add_row(f"{step.threshold:g}", mark, f"{step.dropped:,}", f"{share(step):.2%}", change, *kept)
        before = step
    terminal().print(table)
    if any(sweep.examples):
        print_line("")
        print_line(
            "Rows dropped here and not at the next threshold, drawn at random, with keepers "
            f"(texts cut to {TEXT_CHARS} characters)"
        )
        _print_examples(sweep)


def _in_force(sweep: Sweep) -> str:
    """Which protections the numbers are with."""
    if sweep.stage == NEAR:
        near = sweep.params.near
        kinds = ["replaced words (near.changed_words)"] if near.changed_words == "protect" else []
        kinds += ["missing numbers (--protect-numbers)"] if near.protect_numbers else []
    else:
        protect = sweep.params.semantic.protect
        kinds = [f"{', '.join(DIFFERS[kind] for kind in protect)} (--protect {','.join(protect)})"] if protect else []
    return f"protected: {', '.join(kinds) or 'nothing (--no-protect)'}"


def _kept_by_guard(step: Step) -> tuple[str, str]:
    """How many rows more would go without a guard, and the pairs it kept apart."""
    return f"{max(0, step.unguarded - step.dropped):,}", f"{sum(step.apart.values()):,}"


def check_sweep_targets(project: Project, json_file: str | None, plot: Path | None) -> None:
    """UsageError or OutputError for files that could not be written, or may not, before any work."""
    wanted = targets(json=json_file, plot=plot)
    if plot is not None:
        _plot_kind(plot)
    check_targets(wanted)
    check_input(wanted, project.params.input, project.input_files())


def _plot_kind(plot: Path) -> str:
    """The format of a plot; a pipe or device whose name tells none takes PNG."""
    return "png" if is_stream(plot) and not plot.suffix else plot_format(plot)


def draw_sweep(sweep: Sweep, out: Path) -> None:
    """The plot, whole or not at all."""
    with whole_file(out, "--plot") as temporary:
        near = sweep.stage == NEAR
        write_sweep_plot(sweep.steps, sweep.threshold, temporary, _plot_kind(out), near=near)


def write_sweep(sweep: Sweep, target: str) -> None:
    """The sweep as JSON."""
    write_answer(sweep.as_dict(), target)


def _print_examples(sweep: Sweep) -> None:
    table = Table(box=HORIZONTALS, pad_edge=False)
    table.add_column("at")
    table.add_column("similarity")
    table.add_column("would be dropped", ratio=1)
    table.add_column("keeper", ratio=1)
    for step, examples in zip(sweep.steps, sweep.examples, strict=True):
        for at, example in enumerate(examples):
            table.add_row("" if at else f"{step.threshold:g}", *_cells(example), end_section=example is examples[-1])
    terminal().print(table)


def _cells(example: Example) -> tuple[str, Text, Text]:
    return f"{example.similarity:.6f}", _shown(example.row), _shown(example.keeper)


def _shown(row: Row) -> Text:
    """A row's id and text."""
    return Text(f"row {row.row_id}: {visible(row.text, keep='')}")
