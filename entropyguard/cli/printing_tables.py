"""The tables that `status` and `explain` print. rich draws them; a run, which prints lines only, does not load it."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from entropyguard.cli.printing import print_line, size_text
from entropyguard.core.visible import visible

if TYPE_CHECKING:
    from entropyguard.core.report.explanation import Explanation
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
    """What became of a row, with its text beside its keeper's."""
    for line in explanation.lines():
        print_line(line)
    terminal().print(explanation.table())


def _count(rows: int | None) -> str:
    return "" if rows is None else f"{rows:,}"


def terminal(piped_width: int = 160) -> Console:
    """Where tables go: stdout, as plain text that is never cut when it is no terminal."""
    return Console() if sys.stdout.isatty() else Console(width=piped_width, no_color=True)
