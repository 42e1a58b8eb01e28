"""Whether a CSV file separates its columns by something else than commas, which is refused and never guessed."""

from __future__ import annotations

from entropyguard.core.errors import DataFormatError
from entropyguard.core.rows.source import Source

_OTHERS = {";": "a semicolon", "\t": "a tab", "|": "a vertical bar"}


def check_separator(source: Source, header: str, first_row: str | None) -> None:
    """DataFormatError when another separator than the comma makes columns of the header.

    That is so when it stands in the only column's name, or more often than commas in the header and as often in the
    first row. What is in quotes does not count.
    """
    bare, row = _unquoted(header), _unquoted(first_row or "")
    for separator, name in _OTHERS.items():
        count = bare.count(separator)
        if count and (
            "," not in bare or (count > bare.count(",") and (first_row is None or row.count(separator) == count))
        ):
            raise DataFormatError(
                f"{source} is separated by {name} ({separator!r}), not by commas: its header would be "
                f"{bare.count(',') + 1} column(s). Write it with commas, or as JSONL or Parquet "
                "(a column whose name holds the sign itself must be in quotes)."
            )


def _unquoted(row: str) -> str:
    return "".join(row.split('"')[::2])
