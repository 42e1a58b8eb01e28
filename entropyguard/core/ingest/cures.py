"""What to do about a row that was rejected."""

from __future__ import annotations

import re
from collections.abc import Sequence

from entropyguard.core.encodings import likely_encoding

_CURES = (
    ("the encoding has no", "Name the encoding of the file with --encoding (ingest.encoding)"),
    (
        "malformed JSON: Unexpected UTF-8 BOM",
        "Take the byte order mark out, which a file brings along that is appended",
    ),
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


def cure(reason: str, raw: str = "", required: Sequence[str] = ()) -> str:
    """What to do about a row that was rejected for this reason.

    `raw`: with bytes that are no UTF-8 as escapes; `required`: the columns that have to be filled in each row.
    """
    if reason.startswith("invalid UTF-8"):
        stored = re.sub(r"\\x([0-9a-f]{2})", lambda match: chr(int(match[1], 16)), raw)
        likely = likely_encoding(stored.encode("latin-1", "replace"))
        return f"It looks like {likely}: read it with --encoding NAME (ingest.encoding)"
    if any(reason.startswith(f"column {name!r} is ") for name in required):
        return "Fill it, or leave it out of --required-columns (ingest.required_columns)"
    found = [does for begins, does in _CURES if reason.startswith(begins)]
    found += [does for holds, does in _MORE_CURES if holds in reason]
    return found[0] if found else "Mend the row"
