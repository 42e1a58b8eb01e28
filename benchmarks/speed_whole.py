"""The whole job: the command line, semhash and the entropyguard on PyPI, from the same file to what each keeps."""

from __future__ import annotations

from collections.abc import Container, Sequence
from pathlib import Path

from corpora import distinct, docstrings, write_rows
from edits import Injected, inject
from measure import Measured, megabytes, print_table
from peers import Peer, clean_with_peers, clean_with_pypi_tool, distil_static_model
from pipeline import STAGES, packaged_model, run_entropyguard


def time_whole(
    texts: Sequence[str] | None, rows: int, peers: dict[str, Peer], work: Path, *, static_only: bool
) -> None:
    """Print a table. A tenth of the rows are edited copies of others; a tool that keeps an exact one is refused.

    static_only: nothing runs with the transformer, which takes long for many rows.
    """
    base = distinct(texts or docstrings(2 * rows))[: rows - rows // 10]
    all_texts, injected = inject(base, rows // 50)
    file = write_rows(work / "rows.jsonl", all_texts)
    static = distil_static_model(peers["semhash"], packaged_model(), work / "static") if "semhash" in peers else None
    models: list[tuple[str, list[str | Path]]] = [] if static_only else [("MiniLM", [])]
    if static is not None:
        models.append(("static MiniLM", ["--model-name", static]))
    if not models:
        raise SystemExit("a static model is made by semhash's model2vec, which is not installed")
    results, told = [], []
    for model, flags in models:
        first = run_entropyguard(file, work / model, *flags)
        again = run_entropyguard(file, work / model, *flags, "--dedup-threshold", "0.92", resume=True)
        results.append((f"entropyguard, {model}", first.measured, first.dropped))
        results.append((f"the same, then --resume at 0.92, {model}", again.measured, again.dropped))
        told.append(f"{model}: " + ", ".join(f"{stage} {first.seconds(stage):.1f} s" for stage in STAGES))
    results += clean_with_peers(file, peers, static, work)
    results += [] if static_only else clean_with_pypi_tool(file, peers, packaged_model(), work)
    lines = [_line(label, measured, removed, all_texts, results[0][1]) for label, measured, removed in results]
    for label, _, removed in results:
        _check_exact(label, removed, injected)
    print_table(
        f"From {len(all_texts):,} rows of JSONL to those kept",
        ["tool", "seconds", "times the first", "rows kept", "peak MB"],
        lines,
    )
    for line in told:
        print(f"Stages, {line}")


def _line(
    label: str, measured: Measured, removed: Container[int], texts: Sequence[str], base: Measured
) -> list[object]:
    kept = sum(row not in removed for row in range(len(texts)))
    ratio = measured.seconds / base.seconds
    return [label, f"{measured.seconds:.1f}", f"{ratio:.2f}", f"{kept:,}", megabytes(measured.peak_bytes)]


def _check_exact(label: str, removed: Container[int], injected: Sequence[Injected]) -> None:
    """Which semantic duplicates are found is each tool's own; an exact one is no matter of opinion."""
    left = [one for one in injected if one.kind == "exact" and one.row not in removed and one.parent not in removed]
    if left:
        raise SystemExit(f"{label} keeps {len(left)} exact duplicates; no time is worth printing")
