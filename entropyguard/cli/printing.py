"""What the command line prints: lines on stderr, answers on stdout. Tables: `printing_tables`."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from entropyguard.core.errors import UsageError
from entropyguard.core.report.drop_rates import drop_warnings
from entropyguard.core.report.report import nothing_to_compare_lines, reading_warnings
from entropyguard.core.report.same_template import guard_lines
from entropyguard.core.visible import visible, visible_json
from entropyguard.run.publish import whole_file

if TYPE_CHECKING:
    from entropyguard.core.storage.own_files import Removed
    from entropyguard.project.validity import StageStatus
    from entropyguard.run.build import StageOutcome, Summary

Say = Callable[[str], None]

_SHOWN = 20
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def to_stderr(line: str) -> None:
    """Print a line for people: stdout is for data."""
    sys.stderr.write(visible(line) + "\n")
    sys.stderr.flush()


def silent(line: str) -> None:
    """The `say` of --quiet."""


def say_removed(removed: Removed, say: Say, stays: str = "") -> None:
    """What was freed, and what stays because it is not ours."""
    say(f"freed {size_text(removed.freed)}{stays}")
    if removed.kept:
        more = len(removed.kept) - _SHOWN
        others = f" and {more:,} more" if more > 0 else ""
        say(f"kept: {', '.join(removed.kept[:_SHOWN])}{others} - not made by entropyguard")


def size_text(size_bytes: int) -> str:
    """A size in the unit that fits, e.g. `1.2 GB`."""
    value, unit = float(size_bytes), "bytes"
    for larger in ("KB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:,.0f} {unit}" if unit == "bytes" else f"{value:,.1f} {unit}"


def parse_size(text: str) -> int:
    """Bytes from `8GB`, `500M` or a plain number; UsageError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)B?", text.strip().upper())
    if match is None or float(match[1]) == 0:
        raise UsageError(f"--max-memory is {text!r}; it must be a size above 0 such as 8GB or 500MB.")
    return int(float(match[1]) * _UNITS[match[2]])


def say_summary(summary: Summary, say: Say, *, memory: bool) -> None:
    """A line for each stage, then the rows."""
    for stage, outcome in summary.stages.items():
        say(_stage_line(stage, outcome, memory=memory))
    rows, settings = summary.report["rows"], summary.report["settings"]
    say(f"{rows['in']:,} rows in: {', '.join(_row_counts(rows, settings))} ({summary.seconds:.1f} s)")
    if not settings["semantic_dedup"]:
        say("semantic dedup was off (--no-semantic)")
    if "split" in rows:
        say(f"{rows['split']:,} of the input's rows were split into {rows['chunks']:,}, which count here")
    for line in nothing_to_compare_lines(summary.report):
        say(line)
    aside = summary.report["no_part_in_semantic_dedup"]
    if aside["unreadable"] or aside["over_long"]:
        say(
            f"no part in semantic dedup: {aside['unreadable']:,} rows the model cannot read, "
            f"{aside['over_long']:,} longer than it reads"
        )
    if summary.settings["output"]["mark"]:
        written = rows["in"] - rows["rejected"]
        say(f"all {written:,} rows that could be read were written, with marks that say what became of each (--mark)")
    told = summary.reading.lines() if summary.reading else []
    for line in [
        *guard_lines(summary.report),
        *drop_warnings(summary.report),
        *reading_warnings(summary.report),
        *told,
    ]:
        say(line)


def _row_counts(rows: dict[str, Any], settings: dict[str, Any]) -> list[str]:
    """What became of the rows by the stages that were on; too short and rejected ones only where there are some."""
    dropped = rows["dropped"]
    parts = [f"{rows['kept']:,} kept", f"{dropped['exact']:,} exact duplicates"]
    if settings["near_threshold"]:
        parts.append(f"{dropped['near']:,} near-duplicates")
    if settings["semantic_dedup"]:
        parts.append(f"{dropped['semantic']:,} semantic duplicates")
    if dropped["min_length"]:
        parts.append(f"{dropped['min_length']:,} too short")
    if rows["rejected"]:
        parts.append(f"{rows['rejected']:,} rejected")
    return parts


def _stage_line(stage: str, outcome: StageOutcome, *, memory: bool) -> str:
    if not outcome.ran:
        return f"{stage:<15} up to date"
    peak = f", {size_text(outcome.peak_bytes)}" if memory else ""
    return f"{stage:<15} ran: {outcome.reason} ({outcome.seconds:.1f} s{peak})"


def write_summary(summary: Summary, target: str) -> None:
    """The summary as JSON: the report, all settings, and each stage's outcome."""
    content: dict[str, Any] = {
        **summary.report,
        "settings": summary.settings,
        "reading": summary.reading.as_dict() if summary.reading else {},
        "stages": {name: dataclasses.asdict(outcome) for name, outcome in summary.stages.items()},
        "seconds": round(summary.seconds, 3),
    }
    write_answer(content, target)


def write_answer(content: dict[str, Any], target: str) -> None:
    """Write JSON to a file, whole or not at all, or to stdout."""
    with whole_file(target, "--json") as temporary:
        text = visible_json(json.dumps(content, indent=2, ensure_ascii=False)) + "\n"
        temporary.write_text(text, encoding="utf-8")


def print_plan(statuses: list[StageStatus]) -> None:
    """What --dry-run found, a line for each stage."""
    for status in statuses:
        if status.reason is None:
            print_line(f"{status.stage:<15} up to date")
        elif status.behind:
            print_line(
                f"{status.stage:<15} would run if {', '.join(status.behind)} writes other bytes: {status.reason}"
            )
        else:
            print_line(f"{status.stage:<15} would run: {status.reason}")


def print_line(line: str) -> None:
    """Print an answer on stdout."""
    sys.stdout.write(visible(line) + "\n")
