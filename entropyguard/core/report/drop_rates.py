"""What a run drops, of all rows and of each source, and the guard that stops it when that is too much."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from entropyguard.core.errors import LossError

if TYPE_CHECKING:
    from entropyguard.core.report.lineage import Lineage

REASONS = ("min_length", "exact", "near", "semantic")
"""Why a row is dropped, as `dropped/*.parquet` say it."""

GUARDED_ROWS = 20
"""A source of fewer rows neither stops a run nor is warned of: of three rows one duplicate is a third."""

_NO_GUARD = 1.0
_WARNED_SHARE = 0.5
_NAMED_SOURCES = 100
_SHOWN_SOURCES = 5
_SHOWN_CHARACTERS = 60
_OTHERS = "(other)"


@dataclass(frozen=True)
class Drops:
    """What became of all rows, or of those of one source. `rows` are those that were read, beside the rejected ones.

    A rejected row is of no known source.
    """

    rows: int
    min_length: int = 0
    exact: int = 0
    near: int = 0
    semantic: int = 0
    rejected: int = 0

    @property
    def dropped(self) -> int:
        return self.min_length + self.exact + self.near + self.semantic

    @property
    def share(self) -> float:
        """The share of all rows that do not come out, unrounded: 29 of 100 rows are not more than 0.29."""
        return self.lost / self.all_rows if self.all_rows else 0.0

    @property
    def lost(self) -> int:
        return self.dropped + self.rejected

    @property
    def all_rows(self) -> int:
        return self.rows + self.rejected

    def as_dict(self) -> dict[str, int]:
        """rows = dropped + kept, and dropped by reason."""
        reasons = {reason: getattr(self, reason) for reason in REASONS}
        return {"rows": self.rows, "dropped": self.dropped, "kept": self.rows - self.dropped, **reasons}

    def __add__(self, other: Drops) -> Drops:
        reasons = {reason: getattr(self, reason) + getattr(other, reason) for reason in REASONS}
        return Drops(self.rows + other.rows, **reasons, rejected=self.rejected + other.rejected)

    def __str__(self) -> str:
        rejected = f", {self.rejected:,} of them rejected" if self.rejected else ""
        return f"{self.lost:,} of {self.all_rows:,} rows ({100 * self.share:.0f} %{rejected})"


@dataclass(frozen=True)
class DropRates:
    """Of all rows, and by source, the one of most rows first; without a source column there are no sources."""

    overall: Drops
    sources: dict[str, Drops]

    def with_rejected(self, rejected: int) -> DropRates:
        """The same with the rows that were rejected."""
        return replace(self, overall=replace(self.overall, rejected=rejected))


def count_drops(lineage: Lineage, source_column: str) -> DropRates:
    """Count the rows that were read by what became of them. Memory: a byte a row, and the names of the sources."""
    import numpy as np  # here, because the command line only reads what a finished report has of drop rates

    code = {reason: at for at, reason in enumerate(REASONS, start=1)}  # 0 is kept
    outcomes = np.zeros(lineage.ingested.last_row_id() + 1, dtype=np.int8)  # by row id: rejected rows have one too
    for checkpoint in lineage.dropped.values():
        for table in checkpoint.tables(["row_id", "reason"]):
            outcomes[table["row_id"].to_numpy()] = [code[reason] for reason in table["reason"].to_pylist()]
    overall = np.zeros(len(REASONS) + 1, dtype=np.int64)
    counts: dict[str, Any] = defaultdict(lambda: np.zeros_like(overall))
    for table in lineage.ingested.tables(["row_id", "record"] if source_column else ["row_id"]):
        outcome = outcomes[table["row_id"].to_numpy()]
        overall += np.bincount(outcome, minlength=len(overall))
        if source_column:
            for source, reason, rows in _by_source(table, lineage.ingested.metadata, source_column, outcome):
                counts[source][reason] += rows
    by_size = sorted(counts, key=lambda source: (-counts[source].sum(), source))
    return DropRates(_drops(overall), {source: _drops(counts[source]) for source in by_size})


def _by_source(table: Any, metadata: dict[str, Any], column: str, outcome: Any) -> list[tuple[str, int, int]]:
    """How many rows of a table have each source and outcome."""
    import polars as pl

    from entropyguard.core.rows.source_column import sources_of_rows

    rows = pl.DataFrame({"source": sources_of_rows(table, metadata, column), "outcome": outcome})
    return rows.group_by("source", "outcome").len().rows()


def _drops(counts: Any) -> Drops:
    """From the number of rows kept, then of those dropped for each reason."""
    return Drops(int(counts.sum()), *(int(count) for count in counts[1:]))


def check_drop_rates(rates: DropRates, max_loss: float, rejected: str = "") -> None:
    """LossError when more than `max_loss` of all rows would be dropped or rejected, or of a large source dropped.

    Large are sources of GUARDED_ROWS or more. `rejected` says of the rejected rows what there is to say.
    """
    guarded = {"all rows": rates.overall, **{f"source {_shown(name)}": drops for name, drops in _large(rates.sources)}}
    over = [f"{whose}: {drops}" for whose, drops in guarded.items() if drops.share > max_loss]
    if over:
        if rates.overall.rejected and rates.overall.share > max_loss:
            raise LossError(
                f"{_listed(over, '; ')} would not come out, more than --max-loss {max_loss}; nothing was published. "
                f"{rejected}"
            )
        raise LossError(
            f"{_listed(over, '; ')} would be dropped, more than --max-loss {max_loss}; nothing was published. "
            "Look at some with `entropyguard explain --random 20 --checkpoint-dir DIR`, then resume with settings "
            "that drop less or with a higher --max-loss (guard.max_loss in params.yaml)."
        )


def drop_warnings(report: dict[str, Any]) -> list[str]:
    """Where nothing guards: a line when more than half is dropped, of all rows or of a source the report names."""
    if report["settings"]["max_loss"] < _NO_GUARD:
        return []
    rows, reported = report["rows"], report["losses"]["sources"]
    overall = Drops(rows["in"] - rows["rejected"], **rows["dropped"], rejected=rows["rejected"])
    sources = {
        name: Drops(reported[name]["rows"], *(reported[name][reason] for reason in REASONS)) for name in reported
    }
    heavy = [f"{_shown(name)}: {drops}" for name, drops in _large(sources) if name != _OTHERS and _is_heavy(drops)]
    lost = "dropped or rejected" if overall.rejected else "dropped"
    lines = [f"more than half of all rows are {lost}: {overall}"] if _is_heavy(overall) else []
    lines += [f"more than half of a source is dropped: {_listed(heavy, ', ')}"] if heavy else []
    return [f"Warning: {line}. --max-loss (guard.max_loss) would stop such a run." for line in lines]


def for_report(rates: DropRates) -> dict[str, Any]:
    """{"share", "sources"}: the sources of most rows by name, the others summed as "(other)"."""
    named = [name for name in list(rates.sources)[:_NAMED_SOURCES] if name != _OTHERS]
    others = [drops for name, drops in rates.sources.items() if name not in set(named)]
    reported = {name: rates.sources[name].as_dict() for name in named}
    if others:
        reported[_OTHERS] = sum(others, Drops(0)).as_dict()
    return {"share": round(rates.overall.share, 4), "sources": reported}


def _large(sources: dict[str, Drops]) -> list[tuple[str, Drops]]:
    return [(name, drops) for name, drops in sources.items() if drops.rows >= GUARDED_ROWS]


def _is_heavy(drops: Drops) -> bool:
    return drops.share > _WARNED_SHARE


def _shown(name: str) -> str:
    """A source's name on one line: it is the user's data, of any length."""
    cut = name if len(name) <= _SHOWN_CHARACTERS else name[:_SHOWN_CHARACTERS] + "…"
    return cut if cut.isprintable() else repr(cut)


def _listed(parts: list[str], between: str) -> str:
    more = len(parts) - _SHOWN_SOURCES
    return between.join(parts[:_SHOWN_SOURCES]) + (f" and {more:,} more" if more > 0 else "")
