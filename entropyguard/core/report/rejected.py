"""The rows that could not be read, as lines for people: how many, the first one with a cure, where the others stand."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from entropyguard.core.encodings import likely_encoding

WARNED_SHARE = 0.01
"""From this share of all rows on, a line about rejected rows is a warning."""

_CURES = (
    ("the encoding has no", "Name the encoding of the file with --encoding (ingest.encoding)"),
    ("malformed JSON", "Write one JSON object a line"),
    ("not a JSON object", "Write one JSON object a line"),
    *(
        (begins, "Name the column of texts with --text-column (ingest.text_column), or fill it")
        for begins in ("column ", "no text in any of the columns ")
    ),
)
_MORE_CURES = (
    ("over max_line_bytes", "Raise ingest.max_line_bytes in params.yaml, or cut the line"),
    ("fields where the header has", "Quote the fields that hold the sign between columns"),
)


@dataclass(frozen=True)
class FirstRejected:
    """The first rejected row: its file's ordinal, its line and what is wrong with it."""

    file: int
    line: int
    reason: str
    raw: str = ""

    def said(self, place: str) -> str:
        """What is wrong with it and what to do, in sentences."""
        return f"The first: {place}: {self.reason}. {cure(self.reason, self.raw)}."


def first_rejected(rejected: Path) -> FirstRejected | None:
    """The first row of a file of rejected rows, None when it holds none."""
    with rejected.open(encoding="utf-8") as file:
        line = file.readline()
    if not line:
        return None
    row = json.loads(line)
    return FirstRejected(row["file"], row["line"], row["reason"], row["raw"])


def cure(reason: str, raw: str = "") -> str:
    """What to do about a row that was rejected for this reason; `raw`: with bytes that are no UTF-8 as escapes."""
    if reason.startswith("invalid UTF-8"):
        stored = re.sub(r"\\x([0-9a-f]{2})", lambda match: chr(int(match[1], 16)), raw)
        likely = likely_encoding(stored.encode("latin-1", "replace"))
        return f"It looks like {likely}: read it with --encoding NAME (ingest.encoding)"
    found = [does for begins, does in _CURES if reason.startswith(begins)]
    found += [does for holds, does in _MORE_CURES if holds in reason]
    return found[0] if found else "Mend the row"


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
