"""The tables that `status` and `explain` print. rich draws them; a run, which prints lines only, does not load it."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from rich.box import HORIZONTALS
from rich.console import Console
from rich.table import Table
from rich.text import Text

from entropyguard.cli.printing import print_line, size_text
from entropyguard.core.visible import visible

if TYPE_CHECKING:
    from entropyguard.core.report.explain import Explanation
    from entropyguard.core.report.lineage import Row
    from entropyguard.core.report.word_marks import Piece
    from entropyguard.project.status import StageLine


def print_status(lines: list[StageLine]) -> None:
    """The table of `entropyguard status`."""
    table = Table("stage", "state", "reason", "rows", "bytes", "when", box=None, pad_edge=False)
    for line in lines:
        when = "" if line.finished_at is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(line.finished_at))
        size = "" if line.size_bytes is None else size_text(line.size_bytes)
        cells = [line.status.stage, line.status.state, line.status.reason or "", _count(line.rows), size, when]
        table.add_row(*(Text(visible(cell)) for cell in cells))
    terminal(piped_width=4000).print(table)  # a line for each stage, however long the path in its reason is


def print_explanation(explanation: Explanation) -> None:
    """What became of a row, with its text beside its keeper's; of a near-duplicate the words that differ, marked."""
    from entropyguard.core.report.word_marks import marked_texts, spelled_out  # polars, for those who ask about rows

    row, keeper = explanation.row, explanation.keeper
    print_line(f"{_named(row)}: {_outcome(explanation)}")
    shown = [row, *([keeper] if keeper else explanation.examples)]
    texts = [one.text for one in shown]
    if keeper and explanation.difference:
        print_line(spelled_out(explanation.difference))
        [marked] = marked_texts([(row.text, keeper.text, explanation.difference)])
        texts = [_with_marks(pieces) for pieces in marked]
    table = Table(box=HORIZONTALS, pad_edge=False)
    for one in shown:
        table.add_column(f"row {one.row_id}", ratio=1)
    table.add_row(*(Text(visible(text, keep="\n\t")) for text in texts))
    terminal().print(table)


def _with_marks(pieces: list[Piece]) -> str:
    """A text with marks that need no colour."""
    return "".join(f"[-{piece}-]" if marked else piece for piece, marked in pieces)


def _named(row: Row) -> str:
    return f"row {row.row_id} ({row.file}, line {row.line})"


def _outcome(explanation: Explanation) -> str:
    keeper, final = explanation.keeper, explanation.final_keeper
    if explanation.outcome == "kept":
        return f"kept; it stands for {explanation.stands_for:,} dropped rows" if explanation.stands_for else "kept"
    if keeper is None:
        return f"{explanation.outcome} by {explanation.stage}: {explanation.reason}"
    linked = "through other rows, of" if explanation.reason == "semantic" else "of"
    how = f"at similarity {explanation.similarity:.6f} to" if explanation.similarity is not None else linked
    what = "near-duplicate" if explanation.reason == "near" else f"{explanation.reason} duplicate"
    outcome = f"dropped by {explanation.stage}: {what} {how} {_named(keeper)}"
    if final is not None and final.row_id != keeper.row_id:
        outcome += f", itself dropped for {_named(final)}"
    return outcome


def _count(rows: int | None) -> str:
    return "" if rows is None else f"{rows:,}"


def terminal(piped_width: int = 160) -> Console:
    """Where tables go: stdout, as plain text that is never cut when it is no terminal."""
    return Console() if sys.stdout.isatty() else Console(width=piped_width, no_color=True)
