"""What the guard on semantic duplicates did, or would do, in words: pairs of one template that state other facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from entropyguard.core.params import PROTECTED

DIFFERS = {
    "numbers": "other numbers",
    "negation": "a negation or an opposite",
    "names": "other names",
    "frame": "another passage",
}
"""In what the texts of a pair differ, by the kind of protection that keeps them apart."""

_NEARLY_ALL = 0.9


def guard_lines(report: Mapping[str, Any]) -> list[str]:
    """How many pairs the guard kept apart, and the switch where that kept more rows than were dropped."""
    guard = report.get("guard", {})
    apart = pairs_apart(guard)
    if not apart:
        return []
    rows, pairs = rows_otherwise(report), f"{sum(apart.values()):,} pairs of one template but other facts"
    if not guard["protect"]:
        return [f"{pairs} were not kept apart ({by_kind(apart)}): {rows:,} rows fewer would go without --no-protect"]
    lines = [f"{pairs} were kept apart ({by_kind(apart)}): {rows:,} rows more would go with --no-protect"]
    if rows > report["rows"]["dropped"]["semantic"]:
        lines.append(
            f"That is more than went. Where a template counts as one text, as in logs, use {switch(guard)} "
            "(semantic.protect)."
        )
    return lines


def pairs_apart(guard: Mapping[str, Any]) -> dict[str, int]:
    """The pairs that are kept apart, or would be, by kind: the kinds there are any of."""
    return {kind: pairs for kind, pairs in guard.get("apart", {}).items() if pairs}


def by_kind(apart: Mapping[str, int]) -> str:
    """`numbers 5, names 2`, the most first."""
    ordered = sorted(apart.items(), key=lambda one: -one[1])
    return ", ".join(f"{kind} {pairs:,}" for kind, pairs in ordered)


def rows_otherwise(report: Mapping[str, Any]) -> int:
    """How many rows more go without a guard; where there is none, how many fewer with all of it."""
    otherwise, dropped = int(report["guard"]["dropped_otherwise"]), int(report["rows"]["dropped"]["semantic"])
    return max(0, otherwise - dropped if report["guard"]["protect"] else dropped - otherwise)


def switch(guard: Mapping[str, Any]) -> str:
    """The flag that lets such rows go: all but one kind of protection where nearly all pairs are of that kind."""
    apart = pairs_apart(guard)
    most = max(apart, key=lambda kind: apart[kind])
    others = [kind for kind in PROTECTED if kind in guard["protect"] and kind != most]
    if others and apart[most] >= _NEARLY_ALL * sum(apart.values()):
        return f"--protect {','.join(others)}"
    return "--no-protect"
