"""Files of JSON: lines, or one array, whatever the ending; what else there is in a `.json` is refused with the cure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from entropyguard.core.errors import DataFormatError
from entropyguard.core.ingest.forms import with_head
from entropyguard.core.ingest.json_array import read_elements
from entropyguard.core.ingest.lines import LineBlock, read_lines
from entropyguard.core.rows.source import Source

_ARRAY = re.compile(rb"\[\s*[{\]]")
_ROWS_UNDER = re.compile(r'"([^"\\]{1,80})"\s*:\s*\[\s*\{')


def read_rows(source: Source, limit: int, file: int = 0) -> Iterator[LineBlock]:
    """The rows of a file of JSON lines or of one array, as `read_lines` gives lines.

    DataFormatError for a `.json` that holds one object, and as in `read_elements`.
    """
    head, pieces = with_head(source)
    if source.kind == "json" and (refused := refusal(source, head)):
        raise DataFormatError(refused)
    if is_array(head):
        yield from read_elements(source, pieces, limit, file)
    else:
        yield from read_lines(pieces, limit, file)


def is_array(head: bytes) -> bool:
    """Whether a file that begins so is one array of objects; not if its first line is whole, and more lines follow."""
    first, _, rest = head.partition(b"\n")
    return bool(_ARRAY.match(head)) and not (rest.strip() and _parsed(first) is not None)


def refusal(source: Source, head: bytes) -> str | None:
    """Why a `.json` that begins so holds no rows: it is one object, or several over many lines; None where it may."""
    first, line_end, rest = head.partition(b"\n")
    if not head.startswith(b"{") or not (line_end or _parsed(first)):
        return None
    one = _parsed(first)
    if one is None:
        under = _ROWS_UNDER.search(head.decode("utf-8", "replace"))
        name = under[1] if under else None
    elif rest.strip():
        return None
    else:
        lists = [name for name, value in one.items() if isinstance(value, list) and value]
        name = next((name for name in lists if isinstance(one[name][0], dict)), None)
        if name is None:
            return None
    cure = (
        f"If its rows stand under {name!r}: `jq -c '.[{json.dumps(name)}][]' FILE > data.jsonl`"
        if name
        else "Write an array of objects, or one object a line: `jq -c . FILE > data.jsonl`"
    )
    return f"{source} is a JSON object, not an array of rows. {cure}."


def _parsed(line: bytes) -> Any:
    """The value of a line that is JSON, None where it is none."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
