"""`report.json`: how many rows went where, a pure function of the checkpoints and parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from entropyguard.core.errors import InternalError
from entropyguard.core.params import Params

NO_SCRIPT = "none"
"""What a text without letters is written in."""

_MULTILINGUAL = "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2"
_NAMED_SCRIPTS = 3


def build_report(
    ingested: Path,
    rejected: Path,
    embeddings: Path,
    dropped_exact: Path,
    dropped_semantic: Path,
    kept: Path,
    params: Params,
) -> dict[str, Any]:
    """The report of a finished run.

    InternalError when rows in != kept + dropped + rejected; LossError when more is dropped than `guard.max_loss`.
    """
    import pyarrow.compute as pc  # the command line checks a finished report without it

    from entropyguard.core.ingest.chunks import count_chunks
    from entropyguard.core.report.drop_rates import REASONS, check_losses, count_losses, for_report
    from entropyguard.core.storage.parquet import read_about, read_tables, row_count

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
        "scripts": count_by_script(ingested, embeddings),
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


def count_by_script(ingested: Path, embeddings: Path) -> dict[str, dict[str, int]]:
    """{script: {"rows", "unreadable"}} of the rows in embeddings.parquet, the script of most rows first.

    Memory holds a row group, and a byte a row.
    """
    import numpy as np
    import pyarrow as pa

    from entropyguard.core.embed.scripts import main_scripts, script_names
    from entropyguard.core.rows.text import texts_of
    from entropyguard.core.storage.parquet import read_about, read_tables

    names, about, fates = [*script_names(), NO_SCRIPT], read_about(ingested), _fates(ingested, embeddings)
    counts = np.zeros(len(names) * 3, dtype=np.int64)
    for table in read_tables(ingested, ["row_id", "record"]):
        fate = fates[table["row_id"].to_numpy()]
        scripts = main_scripts(texts_of(table.filter(pa.array(fate > 0)), about)) % len(names)
        counts += np.bincount(scripts * 3 + fate[fate > 0], minlength=len(counts))
    _, readable, unreadable = counts.reshape(-1, 3).T.tolist()
    told = {name: {"rows": m + n, "unreadable": n} for name, m, n in zip(names, readable, unreadable, strict=True)}
    return dict(sorted(((name, told[name]) for name in names if told[name]["rows"]), key=lambda one: -one[1]["rows"]))


def _fates(ingested: Path, embeddings: Path) -> Any:
    """By row id, int8: 0 not in embeddings.parquet, 1 readable, 2 unreadable."""
    import numpy as np
    import pyarrow.compute as pc

    from entropyguard.core.embed.tokenizer import UNREADABLE
    from entropyguard.core.storage.parquet import read_tables
    from entropyguard.core.storage.row_order import last_row_id

    fates = np.zeros(last_row_id(ingested) + 1, dtype=np.int8)
    for table in read_tables(embeddings, ["row_id", "skipped"]):
        unreadable = pc.equal(pc.fill_null(table["skipped"], ""), UNREADABLE)
        fates[table["row_id"].to_numpy()] = 1 + unreadable.to_numpy()
    return fates


def reading_warnings(report: dict[str, Any]) -> list[str]:
    """A line when the model cannot read a third of the rows or more."""
    scripts = report["scripts"]
    rows, unreadable = (sum(script[name] for script in scripts.values()) for name in ("rows", "unreadable"))
    if unreadable == 0 or 3 * unreadable < rows:
        return []
    blind = sorted((name for name in scripts if scripts[name]["unreadable"]), key=lambda n: -scripts[n]["unreadable"])
    named = ", ".join(blind[:_NAMED_SCRIPTS]) + (" and others" if len(blind) > _NAMED_SCRIPTS else "")
    return [
        f"Warning: the model cannot read {unreadable:,} of {rows:,} rows ({100 * unreadable / rows:.0f} %; {named}), "
        "so they take no part in semantic dedup. A multilingual model reads them: "
        f"--model-name {_MULTILINGUAL} --allow-download (embed.model)."
    ]


def check_rows(rows: dict[str, Any]) -> None:
    """InternalError unless every row read is kept, dropped or rejected."""
    accounted = rows["kept"] + rows["rejected"] + sum(rows["dropped"].values())
    if rows["in"] != accounted:
        raise InternalError(
            f"{rows['in']} rows came in but {accounted} are kept, dropped or rejected. This is a bug in entropyguard; "
            "nothing was published. Please report it with the checkpoint dir's report.json."
        )
