"""`report.json`: how many rows went where, a pure function of the checkpoints and parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from entropyguard.core.errors import InternalError
from entropyguard.core.params import Params


def build_report(
    ingested: Path, rejected: Path, dropped_exact: Path, dropped_semantic: Path, kept: Path, params: Params
) -> dict[str, Any]:
    """The report of a finished run.

    InternalError when rows in != kept + dropped + rejected; LossError when more is dropped than `guard.max_loss`.
    """
    import pyarrow.compute as pc  # the command line checks a finished report without it

    from entropyguard.core.chunks import count_chunks
    from entropyguard.core.losses import REASONS, check_losses, count_losses, for_report
    from entropyguard.core.parquet import read_about, read_tables, row_count

    with rejected.open("rb") as file:
        rejected_rows = sum(1 for _ in file)
    dropped = dict.fromkeys(REASONS, 0)
    for path in (dropped_exact, dropped_semantic):
        for table in read_tables(path, ["reason"]):
            for item in pc.value_counts(table["reason"]).to_pylist():
                dropped[item["values"]] += item["counts"]
    rows = {
        "in": row_count(ingested) + rejected_rows,
        "rejected": rejected_rows,
        "dropped": dropped,
        "kept": row_count(kept),
    }
    if params.chunks.size:
        rows |= count_chunks(ingested)
    check_rows(rows)
    losses = count_losses(ingested, [dropped_exact, dropped_semantic], params.keep.source_column)
    check_losses(losses, params.guard.max_loss)
    about = read_about(dropped_semantic)
    return {
        "rows": rows,
        "no_part_in_semantic_dedup": {"unreadable": about.get("unreadable", 0), "over_long": about.get("over_long", 0)},
        "losses": for_report(losses),
        "numbers": about.get("numbers", {}),
        "settings": {
            "dedup_threshold": params.semantic.dedup_threshold,
            "cluster": params.semantic.cluster,
            "protect_numbers": params.semantic.protect_numbers,
            "search_floor": params.search.floor,
            "keep": params.keep.policy,
            "source_column": params.keep.source_column,
            "source_priority": list(params.keep.source_priority),
            "max_loss": params.guard.max_loss,
            "model": Path(params.embed.model).name,
            "output_format": params.output.format,
        },
        "search": about.get("search", {}),
    }


def check_rows(rows: dict[str, Any]) -> None:
    """InternalError unless every row read is kept, dropped or rejected."""
    accounted = rows["kept"] + rows["rejected"] + sum(rows["dropped"].values())
    if rows["in"] != accounted:
        raise InternalError(
            f"{rows['in']} rows came in but {accounted} are kept, dropped or rejected. This is a bug in entropyguard; "
            "nothing was published. Please report it with the checkpoint dir's report.json."
        )
