"""JSONL of any size, and what exact dedup must make of it.

A text is a function of its number alone, so that a copy of any earlier one can be made anew, and the answer is
known without holding the texts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import xxhash
from corpora import made_texts

_SENTENCES, _EACH = 200_000, 7
_BLOCK_ROWS, _BLOCK_BYTES = 1 << 16, 1 << 26
_ROW_BYTES = 900
_COPIES = 4

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class BigFile:
    """JSON lines; `kept`: the row ids of each text's first row, in order; kept_digest: xxh3 of their lines."""

    path: Path
    size_bytes: int
    rows: int
    kept: Ints
    kept_digest: str


def write_big_file(path: Path, size_bytes: int, payload_bytes: int = 0) -> BigFile:
    """Write about `size_bytes` of lines of some 900 bytes, and of `payload_bytes` in a column beside the text.

    A quarter of the rows repeat an earlier text, but for case and spaces. Half of the texts have line breaks, three
    in ten have letters outside ASCII.
    """
    sentences, kept, digest = _sentences(), [], xxhash.xxh3_128()
    block_rows = min(_BLOCK_ROWS, _BLOCK_BYTES // (payload_bytes + _ROW_BYTES) + 1)
    size = texts = rows = 0
    with path.open("wb") as file:
        while size < size_bytes:
            row = np.arange(rows, rows + block_rows)
            copies = (_random(row, 1) % _COPIES == 0) & (row > 0)
            text = texts - 1 + np.cumsum(~copies)
            text[copies] = _random(row[copies], 2) % (text[copies] + 1)
            lines = _lines(row, text, copies, sentences, payload_bytes)
            size += file.write(_bytes_of(lines))
            digest.update(_bytes_of(lines.filter(pl.Series(~copies))))
            kept.append(row[~copies])
            rows, texts = rows + block_rows, texts + len(kept[-1])
    return BigFile(path, size, rows, np.concatenate(kept), digest.hexdigest())


def _sentences() -> pl.Series:
    """Sentences as they stand in JSON; then the same ones in other case, with another space before each."""
    plain = made_texts(_SENTENCES, copies=0, near=0)
    plain[::10] = [f"{text}.\n\n" for text in plain[::10]]
    plain[1::20] = [f"“{text.replace('e', 'é', 2)}”" for text in plain[1::20]]
    plain[2::20] = [f'he said "{text}"' for text in plain[2::20]]
    others = [f" {text.title()}" for text in plain]
    return pl.Series([f" {json.dumps(text, ensure_ascii=False)[1:-1]}" for text in plain + others])


def _lines(row: Ints, text: Ints, copies: Flags, sentences: pl.Series, payload_bytes: int) -> pl.Series:
    parts = {str(at): sentences.gather(_random(text, 3 + at) % _SENTENCES + copies * _SENTENCES) for at in range(_EACH)}
    more = [pl.lit(', "payload": "'), pl.Series("payload", _payloads(row, payload_bytes)), pl.lit('"')]
    return (
        pl.DataFrame({"row": row, "text": text, **parts, "score": _random(row, 20) % 100_000})
        .select(
            pl.concat_str(
                [
                    *(pl.lit('{"id": '), "row", pl.lit(', "text": "text '), "text", *parts),
                    *(pl.lit('", "source": "part '), pl.col("row") % 7, pl.lit('", "score": 1.'), "score"),
                    *(more if payload_bytes else []),
                    pl.lit("}\n"),
                ]
            )
        )
        .to_series()
    )


def _payloads(row: Ints, payload_bytes: int) -> list[str]:
    return [np.random.default_rng(one).bytes(payload_bytes // 2).hex() for one in row.tolist()] if payload_bytes else []


def _random(numbers: Ints, stream: int) -> Ints:
    """A number below 2**62 for each number, as if at random (splitmix64's last step)."""
    mixed = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(stream * 0x632BE59BD9B4E019 % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(2)).astype(np.int64)


def _bytes_of(lines: pl.Series) -> memoryview:
    column = lines.rechunk().to_arrow().cast(pa.large_string())
    _, offsets, data = column.buffers()
    return memoryview(data)[: np.frombuffer(offsets, dtype=np.int64)[len(column)]]
