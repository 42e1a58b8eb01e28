"""The whole job: the command line, semhash and the entropyguard on PyPI, from the same file to what each keeps."""

from __future__ import annotations

from collections.abc import Container, Sequence
from pathlib import Path

from corpora import distinct, docstrings, write_rows
from edits import Injected, inject
from measure import Measured, megabytes, print_table
from peers import Peer, clean_with_peers, clean_with_pypi_tool, distil_static_model
from pipeline import STAGES, packaged_model, run_entropyguard


def time_whole(texts: Sequence[str] | None, rows: int, peers: dict[str, Peer], work: Path) -> None:
    """Print a table. A tenth of the rows are edited copies of others; a tool that keeps an exact one is refused."""
    base = distinct(texts or docstrings(2 * rows))[: rows - rows // 10]
    all_texts, injected = inject(base, rows // 50)
    file = write_rows(work / "rows.jsonl", all_texts)
    static = distil_static_model(peers["semhash"], packaged_model(), work / "static") if "semhash" in peers else None
    first = run_entropyguard(file, work / "run", audit=True)
    again = run_entropyguard(file, work / "run", "--dedup-threshold", "0.92", resume=True, audit=True)
    results = [("entropyguard", first.measured, first.dropped)]
    results.append(("entropyguard --resume, threshold 0.92", again.measured, again.dropped))
    if static is not None:
        run = run_entropyguard(file, work / "static run", "--model-name", static, audit=True)
        results.append(("entropyguard, static MiniLM", run.measured, run.dropped))
    results += clean_with_peers(file, peers, static, work)
    results += clean_with_pypi_tool(file, peers, packaged_model(), work)
    lines = [_line(label, measured, removed, all_texts, first.measured) for label, measured, removed in results]
    for label, _, removed in results:
        _check_exact(label, removed, injected)
    print_table(
        f"From {len(all_texts):,} rows of JSONL to those kept",
        ["tool", "seconds", "times the first", "rows kept", "peak MB"],
        lines,
    )
    print("Stages of the first run: " + ", ".join(f"{stage} {first.seconds(stage):.1f} s" for stage in STAGES))


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
