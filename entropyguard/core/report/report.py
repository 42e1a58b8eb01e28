"""`report.json`: how many rows went where, a pure function of the checkpoints and parameters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entropyguard.core.errors import InternalError
from entropyguard.core.params import Params
from entropyguard.core.report.rejected import first_rejected
from entropyguard.core.rows.source import Place

if TYPE_CHECKING:
    from entropyguard.core.report.lineage import Lineage
    from entropyguard.core.storage.checkpoint import Checkpoint

NO_SCRIPT = "none"
"""What a text without letters is written in."""

_MULTILINGUAL = "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2"
_NAMED_SCRIPTS = 3


def build_report(
    lineage: Lineage, embeddings: Checkpoint, params: Params, said: Callable[[Place], str] = str
) -> dict[str, Any]:
    """The report of a run; `said` spells a place in the input for messages.

    `rows.nothing_to_compare` of the rows kept have no letter, digit or symbol, and took no part in any stage.

    InternalError when rows in != kept + dropped + rejected; LossError when more is lost than `guard.max_loss`.
    """
    import pyarrow.compute as pc  # the command line checks a finished report without it

    from entropyguard.core.ingest.chunks import count_chunks
    from entropyguard.core.report.drop_rates import REASONS, check_drop_rates, count_drops, for_report

    with lineage.rejected.open("rb") as file:
        rejected = sum(1 for _ in file)
    dropped = dict.fromkeys(REASONS, 0)
    for checkpoint in lineage.dropped.values():
        for table in checkpoint.tables(["reason"]):
            for item in pc.value_counts(table["reason"]).to_pylist():
                dropped[item["values"]] += item["counts"]
    rows = {
        "in": lineage.ingested.rows + rejected,
        "rejected": rejected,
        "dropped": dropped,
        "kept": lineage.kept.rows,
        "nothing_to_compare": lineage.dropped["exact_dedup"].metadata.get("nothing_to_compare", 0),
    }
    if params.chunks.size:
        rows |= count_chunks(lineage.ingested)
    check_rows(rows)
    rates = count_drops(lineage, params.keep.source_column).with_rejected(rejected)
    first = first_rejected(lineage.rejected, params.ingest.required_columns)
    check_drop_rates(rates, params.guard.max_loss, first.said(said((first.file, first.line))) if first else "")
    near, semantic = (lineage.dropped[f"{name}_dedup"].metadata for name in ("near", "semantic"))
    judging = near.get("near", {})
    return {
        "rows": rows,
        "no_part_in_semantic_dedup": {
            "unreadable": semantic.get("unreadable", 0),
            "over_long": semantic.get("over_long", 0),
        },
        "near": {name: judging.get(name, 0) for name in ("judged", "capped_buckets")},
        "scripts": count_by_script(lineage.ingested, embeddings if params.semantic.enabled else lineage.kept),
        "losses": for_report(rates),
        "guard": semantic.get("guard", {}),
        "settings": {
            "text_column": lineage.ingested.metadata["text_column"],
            "near_threshold": params.near.threshold,
            "near_min_words": params.near.min_words,
            "near_changed_words": params.near.changed_words,
            "near_protect_numbers": params.near.protect_numbers,
            "semantic_dedup": params.semantic.enabled,
            "dedup_threshold": params.semantic.dedup_threshold,
            "cluster": params.semantic.cluster,
            "protect": list(params.semantic.protect),
            "search_floor": params.search.floor,
            "keep": params.keep.policy,
            "source_column": params.keep.source_column,
            "source_priority": list(params.keep.source_priority),
            "max_loss": params.guard.max_loss,
            "model": Path(params.embed.model).name,
            "output_format": params.output.format,
        },
        "search": semantic.get("search", {}),
    }


def count_by_script(ingested: Checkpoint, judged: Checkpoint) -> dict[str, dict[str, int]]:
    """{script: {"rows", "unreadable"}} of the rows in embeddings.parquet, the script of most rows first.

    judged: that, or the rows that are left where nothing is embedded; of those no model says that it cannot read one.
    Memory holds a row group, and a byte a row.
    """
    import numpy as np

    from entropyguard.core.rows.scripts import SCRIPT_FIELD

    names, outcomes = [*ingested.metadata["scripts"], NO_SCRIPT], _outcomes(ingested, judged)
    counts = np.zeros(len(names) * 3, dtype=np.int64)
    for table in ingested.tables(["row_id", SCRIPT_FIELD.name]):
        scripts = table[SCRIPT_FIELD.name].to_numpy().astype(np.int64) % len(names)  # -1, for no script, is the last
        counts += np.bincount(scripts * 3 + outcomes[table["row_id"].to_numpy()], minlength=len(counts))
    _, readable, unreadable = counts.reshape(-1, 3).T.tolist()
    counted = {name: {"rows": m + n, "unreadable": n} for name, m, n in zip(names, readable, unreadable, strict=True)}
    return dict(
        sorted(((name, counted[name]) for name in names if counted[name]["rows"]), key=lambda one: -one[1]["rows"])
    )


def _outcomes(ingested: Checkpoint, judged: Checkpoint) -> Any:
    """By row id, int8: 0 not in `judged`, 1 readable, 2 unreadable."""
    import numpy as np
    import pyarrow.compute as pc

    from entropyguard.core.embed.tokenizer import UNREADABLE

    outcomes = np.zeros(ingested.last_row_id() + 1, dtype=np.int8)
    is_embedded = "skipped" in judged.schema.names
    for table in judged.tables(["row_id", "skipped"] if is_embedded else ["row_id"]):
        outcomes[table["row_id"].to_numpy()] = 1
        if is_embedded:
            unreadable = pc.equal(pc.fill_null(table["skipped"], ""), UNREADABLE)
            outcomes[table["row_id"].filter(unreadable).to_numpy()] = 2
    return outcomes


def nothing_to_compare_lines(report: dict[str, Any]) -> list[str]:
    """A line when rows stay because there is nothing in their texts to compare."""
    rows = report["rows"]["nothing_to_compare"]
    if rows == 0:
        return []
    return [
        f"texts without a letter, digit or symbol: {rows:,}; their rows take no part and stay. "
        "--min-length 1 drops them (exact.min_length)."
    ]


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
