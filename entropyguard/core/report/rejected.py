"""The rows that could not be read, as lines for people: how many, the first one with a cure, where the others stand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from entropyguard.core.ingest.cures import cure

WARNED_SHARE = 0.01
"""From this share of all rows on, a line about rejected rows is a warning."""


@dataclass(frozen=True)
class FirstRejected:
    """The first rejected row: its file's ordinal, its line and what is wrong with it."""

    file: int
    line: int
    reason: str
    raw: str = ""
    required: tuple[str, ...] = ()
    """The columns that have to be filled in each row."""

    def said(self, place: str) -> str:
        """What is wrong with it and what to do, in sentences."""
        return f"The first: {place}: {self.reason}. {cure(self.reason, self.raw, self.required)}."


def first_rejected(rejected: Path, required: tuple[str, ...] = ()) -> FirstRejected | None:
    """The first row of a file of rejected rows, None when it holds none; `required`: as ingest had it."""
    with rejected.open(encoding="utf-8") as file:
        line = file.readline()
    if not line:
        return None
    row = json.loads(line)
    return FirstRejected(row["file"], row["line"], row["reason"], row["raw"], required)


def rejected_line(rejected: int, rows: int, first: FirstRejected, place: str) -> str:
    """How many of all rows were rejected, with the first one's place (file and line), reason and cure."""
    share = rejected / rows
    begin = "Warning: " if share >= WARNED_SHARE else ""
    return (
        f"{begin}{rejected:,} of {rows:,} rows ({100 * share:.2g} %) could not be read and were rejected. "
        f"{first.said(place)}"
    )


def write_rejected(rejected: Path, names: Sequence[str], out: TextIO) -> None:
    """Copy the rejected rows, each with its file's name in place of the ordinal."""
    with rejected.open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            out.write(json.dumps({**row, "file": names[row["file"]]}, ensure_ascii=True) + "\n")
