"""What `dedup` gives back."""

from __future__ import annotations

import contextlib
import os
import shutil
import weakref
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar

import polars as pl

from entropyguard.api.arguments import told_by_arguments
from entropyguard.core.arrays import Ints
from entropyguard.core.errors import UsageError
from entropyguard.queries.sweep import Sweep, SweepRequest

if TYPE_CHECKING:
    from entropyguard.core.report.explanation import Explanation
    from entropyguard.core.report.lineage import Lineage

T = TypeVar("T")


class Answers(Protocol):
    """A finished run, whichever way it was made."""

    def lineage(self) -> Lineage:
        """What became of every row."""

    def report(self) -> dict[str, Any]:
        """What report.json holds."""

    def sweep(self, request: SweepRequest) -> Sweep:
        """What other thresholds would drop."""


class DedupResult(Generic[T]):
    """The rows that stay, and what became of the others. All rows are counted from 0 in the data as they were given.

    What `explain`, `sweep` and `report` read lies in a private folder, which goes with the result, or before it at
    `close` or the end of a `with` block; with a `checkpoint_dir` it lies there, and stays.
    """

    kept: T
    """The rows that stay, in their order, as the type that came in.

    Of a path: the path of a file of its format, which is there until `close`, or else until the process ends.
    """

    kept_rows: Ints
    """Their numbers, ascending: to pick from whatever goes in parallel with the data."""

    dropped: pl.DataFrame
    """Each dropped row: row, stage, reason (min_length, exact, near, semantic), keeper, final_keeper, similarity.

    keeper: the row it was like. final_keeper: the one among the kept that stands for it, another where a later stage
    dropped the keeper. Both null for a row that is too short, similarity also for an exact duplicate.
    """

    rejected: pl.DataFrame
    """Each row without a text to compare, which is neither kept nor dropped: row, reason."""

    def __init__(self, kept: T, kept_rows: Ints, answers: Answers, folder: Path | None) -> None:
        lineage = answers.lineage()
        self.kept = kept
        self.kept_rows = kept_rows
        self.dropped = (
            lineage.dropped_rows()
            .select(
                "stage",
                "reason",
                "similarity",
                row="row_id",
                keeper="keeper_row_id",
                final_keeper="final_keeper_row_id",
            )
            .select("row", "stage", "reason", "keeper", "final_keeper", "similarity")
        )
        rejected = [(row["row_id"], row["reason"]) for row in lineage.rejected_rows(text_chars=0)]
        self.rejected = pl.DataFrame(rejected, {"row": pl.Int64, "reason": pl.String}, orient="row")
        self._answers = answers
        self._closed = False
        # A path says nothing of whom its file belongs to: that one outlives the result.
        owner = type(self) if isinstance(kept, str | os.PathLike) else self
        self._removal = None if folder is None else weakref.finalize(owner, _remove, folder, os.getpid())

    def explain(self, row: int) -> Explanation:
        """What became of a row, with its text and its keeper's; `print` shows it. UsageError where there is no such."""
        from entropyguard.core.report.explain import explain

        with self._open():
            return explain(self._answers.lineage(), row)

    def sweep(
        self,
        stage: Literal["semantic", "near"] = "semantic",
        *,
        first: float | None = None,
        last: float = 0.99,
        step: float = 0.01,
        examples: int = 2,
    ) -> Sweep:
        """What each threshold from `first` (None: the lowest of the stored pairs) to `last` would drop of a stage.

        Nothing is embedded; below the stored pairs the vectors are searched again. `examples` pairs are shown at each.
        """
        with self._open():
            return self._answers.sweep(SweepRequest(first, last, step, stage == "semantic", examples, stage))

    @cached_property
    def report(self) -> dict[str, Any]:
        """How many rows went where, and with which settings; as report.json of the command line."""
        with self._open():
            return self._answers.report()

    def close(self) -> None:
        """Remove the private folder. `kept` (but for a path), `kept_rows`, `dropped` and `rejected` stay."""
        self._closed = True
        if self._removal is not None:
            self._removal()

    @contextlib.contextmanager
    def _open(self) -> Any:
        if self._closed:
            raise UsageError("This result is closed. Ask before `close`, or before the `with` block ends.")
        with told_by_arguments():
            yield

    def __enter__(self) -> DedupResult[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        reasons = dict(self.dropped["reason"].value_counts().iter_rows())
        parts = [f"{len(self.kept_rows):,} kept", *(f"{count:,} {name}" for name, count in sorted(reasons.items()))]
        parts += [f"{self.rejected.height:,} rejected"] if self.rejected.height else []
        return f"<DedupResult: {', '.join(parts)}>"


def _remove(folder: Path, owner: int) -> None:
    """Remove a private folder, in the process that made it: a forked one has the result, too."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)
