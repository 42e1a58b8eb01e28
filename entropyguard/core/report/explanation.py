"""What became of one row, with the texts to judge it by, and how that is told."""

from __future__ import annotations

from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING

from entropyguard.core.report.lineage import Row
from entropyguard.core.report.word_marks import Piece, marked_texts, spelled_out
from entropyguard.core.visible import visible
from entropyguard.core.words.word_diff import WordDiff

if TYPE_CHECKING:
    from rich.table import Table

_WIDTH = 120


@dataclass(frozen=True)
class Explanation:
    """What became of `row`: `outcome` is kept, dropped or rejected.

    stage, reason: by which stage and why it was dropped or rejected (min_length, exact, near, semantic, or what was
        wrong with the line); None when it was kept.
    keeper: the row that was kept instead by that stage; None when there is none (kept, rejected, too short).
    final_keeper: the row of the output that stands for it: the keeper, unless a later stage dropped that one.
    similarity: of row and keeper: for a near-duplicate of their words, for a semantic duplicate their cosine.
    difference: the words that row and keeper do not share, for a near-duplicate.
    stands_for: how many dropped rows a kept row is the final keeper of; `examples` are the first five of them.
    """

    row: Row
    outcome: str
    stage: str | None = None
    reason: str | None = None
    keeper: Row | None = None
    final_keeper: Row | None = None
    similarity: float | None = None
    difference: WordDiff | None = None
    stands_for: int = 0
    examples: tuple[Row, ...] = ()

    def __str__(self) -> str:
        """As the command `entropyguard explain` prints it."""
        from rich.console import Console

        page = StringIO()
        # A notebook would show the table itself, in place of giving its text.
        console = Console(file=page, width=_WIDTH, no_color=True, force_terminal=False, force_jupyter=False)
        console.print(self.table())
        return "\n".join([*map(visible, self.lines()), *(line.rstrip() for line in page.getvalue().splitlines())])

    def lines(self) -> list[str]:
        """What became of it; of a near-duplicate also the words that differ."""
        told = [f"{_named(self.row)}: {_outcome(self)}"]
        return [*told, spelled_out(self.difference)] if self.keeper and self.difference else told

    def table(self) -> Table:
        """Its text beside its keeper's, the words that differ marked; or beside those of rows it stands for."""
        from rich.box import HORIZONTALS
        from rich.table import Table
        from rich.text import Text

        shown = [self.row, *([self.keeper] if self.keeper else self.examples)]
        texts = [one.text for one in shown]
        if self.keeper and self.difference:
            [marked] = marked_texts([(self.row.text, self.keeper.text, self.difference)])
            texts = [_with_marks(pieces) for pieces in marked]
        table = Table(box=HORIZONTALS, pad_edge=False)
        for one in shown:
            table.add_column(f"row {one.row_id}", ratio=1)
        table.add_row(*(Text(visible(text, keep="\n\t")) for text in texts))
        return table


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
