"""Whether a file separates its columns by another sign than its ending says, which is refused and never guessed."""

from __future__ import annotations

from entropyguard.core.errors import DataFormatError
from entropyguard.core.rows.source import Source

SEPARATORS = {"csv": ",", "tsv": "\t"}
"""What separates columns, by the kind of a file."""
_NAMES = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a vertical bar"}
_ENDINGS = {",": ".csv", "\t": ".tsv"}


def check_separator(source: Source, header: str, first_row: str | None) -> None:
    """DataFormatError when another separator than the one of the file's kind makes columns of the header.

    That is so when it stands in the only column's name, or more often than the right one in the header and as often
    in the first row. What is in quotes does not count.
    """
    bare, row = _unquoted(header), _unquoted(first_row or "")
    own = SEPARATORS[source.kind]
    for separator, name in _NAMES.items():
        count = 0 if separator == own else bare.count(separator)
        if count and (
            own not in bare or (count > bare.count(own) and (first_row is None or row.count(separator) == count))
        ):
            cure = "Write it with commas, or as JSONL or Parquet"
            if separator in _ENDINGS:
                cure = f"Give it the ending {_ENDINGS[separator]}"
            raise DataFormatError(
                f"{source} is separated by {name} ({separator!r}), not by {_NAMES[own].removeprefix('a ')}s: its "
                f"header would be {bare.count(own) + 1} column(s). {cure} "
                "(a column whose name holds the sign itself must be in quotes)."
            )


def _unquoted(row: str) -> str:
    return "".join(row.split('"')[::2])
