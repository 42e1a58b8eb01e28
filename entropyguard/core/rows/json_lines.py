"""JSON lines: the value under a name of each, and all values of one.

Two JSON readers work together. A fast one (serde, in polars) gives the text of nearly every line. Wherever its
answer may not be a string's, Python's decides, which also takes NaN, huge numbers and lone surrogates. Which of
the two decided does not show in the result: it depends on the line alone.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import polars as pl

MAX_DEPTH = 500
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What the fast reader may give for a value that is no string: it spells numbers, booleans, lists and objects out.
_LIKE_NO_STRING = r"(?s)\A(?:-?[0-9][-+.0-9eE]*|true|false|\[.*\]|\{.*\})\z"
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"')
_BRACKETS = re.compile(r"[\[{]|[\]}]")


class MalformedLineError(ValueError):
    """A line that is no JSON; the message says why and where."""


def parse_line(line: str, decoder: json.JSONDecoder | None = None) -> Any:
    """The value of a JSON line (the last of duplicate keys, NaN as float); MalformedLineError when it is none.

    `decoder` has hooks of its own; one that is made for each line takes twice as long as the line.
    Nesting is limited to MAX_DEPTH, far below where Python's own limit, which depends on its caller, would strike.
    """
    if line.count("[") + line.count("{") > MAX_DEPTH and _depth(line) > MAX_DEPTH:
        raise MalformedLineError(f"malformed JSON: nested more than {MAX_DEPTH} levels deep")
    try:
        return json.loads(line) if line.startswith(_BOM) else (decoder or _DECODER).decode(line)
    except json.JSONDecodeError as error:
        raise MalformedLineError(f"malformed JSON: {error.msg} at character {error.pos + 1}") from error


def _integer(digits: str) -> int | float:
    """An int; past the length Python converts, infinity, as for any number too large."""
    return int(digits) if len(digits) < 4_000 else float(digits)


_DECODER, _BOM = json.JSONDecoder(parse_int=_integer), "\ufeff"


def _depth(line: str) -> int:
    deepest = depth = 0
    for bracket in _BRACKETS.findall(_STRING.sub("", line)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def decode_texts(lines: pl.Series, column: str) -> pl.Series:
    """The string under `column` of each line, null where there is none.

    A lone surrogate, which UTF-8 cannot hold, is spelled U+FFFD and its escape.
    """
    import polars as pl  # the command line parses single lines without it

    found = fast_values(lines, column)
    others = np.flatnonzero(undecided(found).to_numpy())
    if len(others) == 0:
        return found
    texts = [_text_of(line, column) for line in lines.gather(others).to_list()]
    return found.scatter(others, pl.Series(texts, dtype=pl.String))


def fast_values(lines: pl.Series, column: str) -> pl.Series:
    """The fast reader's answer: null, or a string that is the value's or spells another value out."""
    if not is_fast(column):
        import polars as pl

        return pl.Series([None], dtype=pl.String).new_from_index(0, len(lines))
    return lines.str.json_path_match(f"$.{column}")


def is_fast(name: str) -> bool:
    """Whether the fast reader finds what stands under this name."""
    return _IDENTIFIER.fullmatch(name) is not None


def undecided(found: pl.Series) -> pl.Series:
    return found.str.contains(_LIKE_NO_STRING).fill_null(value=True)


def _text_of(line: str, column: str) -> str | None:
    try:
        row = parse_line(line)
    except MalformedLineError:
        return None
    value = row.get(column) if isinstance(row, dict) else None
    return encodable(value) if isinstance(value, str) else None


def encodable(text: str) -> str:
    """The text itself, or with its lone surrogates spelled out so that it fits UTF-8."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return re.sub("[\ud800-\udfff]", lambda match: f"\ufffd\\u{ord(match[0]):04x}", text)
    return text
