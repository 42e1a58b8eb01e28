"""Exact dedup of a JSONL file with one tool, in a process of its own: `python exact.py TOOL IN.jsonl OUT.parquet`.

Of the rows whose texts are equal after folding case and white space, the first stays. OUT gets the columns and, as
`row`, each kept row's position in the input (from 0), in input order. The job of entropyguard's first two stages,
less their audit, their checks and the raw lines.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path


def duckdb(source: Path, out: Path, folder: Path) -> None:
    """One pass that gives rows their numbers and writes them, one that picks the first of each hash, one that joins."""
    import duckdb as library

    connection = library.connect(str(folder / "work.duckdb"))
    connection.execute("set memory_limit = '2GB'")
    # The paths are of our own making.
    connection.execute(f"""
        create table rows as
        select row_number() over () - 1 as row, *
        from read_json('{source}', format = 'newline_delimited')
    """)  # noqa: S608
    connection.execute(f"""
        copy (
            select * from rows
            where row in (
                select min(row) from rows
                group by md5(trim(regexp_replace(lower(nfc_normalize(text)), '\\s+', ' ', 'g')))
            )
            order by row
        ) to '{out}' (format parquet, compression zstd)
    """)  # noqa: S608


def polars(source: Path, out: Path, folder: Path) -> None:  # noqa: ARG001  needs no work folder
    """The obvious lazy query, on the streaming engine."""
    import polars as pl

    text = pl.col("text").str.normalize("NFC").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()
    rows = pl.scan_ndjson(source).with_row_index("row")
    rows.with_columns(key=text).unique("key", keep="first", maintain_order=True).drop("key").sink_parquet(
        out, compression="zstd", compression_level=1
    )


TOOLS: dict[str, Callable[[Path, Path, Path], None]] = {"duckdb": duckdb, "polars": polars}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tool", choices=TOOLS)
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    TOOLS[arguments.tool](arguments.source, arguments.out, arguments.out.parent)


if __name__ == "__main__":
    main()
