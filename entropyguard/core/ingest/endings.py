"""What a file's ending says: which reader takes it, or what to do where none does."""

from __future__ import annotations

from pathlib import Path

from entropyguard.core.encodings import UTF8
from entropyguard.core.rows.source import Source
from entropyguard.core.storage.remote_path import RemotePath

_KINDS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    **dict.fromkeys((".arrow", ".arrows", ".feather", ".ipc"), "arrow"),
}
_COMPRESSIONS = {".gz": "gz", ".zst": "zst"}
PACKED = {"jsonl", "json", "csv", "tsv"}
"""The kinds that are text, and may be compressed as a whole."""
ENDINGS = ".jsonl .ndjson .json .csv .tsv, also with .gz or .zst, .parquet .arrow .feather"

_UNPACK = "Unpack it first"
_TABS = "If tabs separate its columns, name it .tsv; if bars do, write it with commas, as .csv"
_SHEET = "Save the sheet as CSV (UTF-8)"
_CONVERT = "Write its rows as .parquet or .jsonl"
_CURES = {
    **dict.fromkeys((".tab", ".psv"), _TABS),
    **dict.fromkeys((".xlsx", ".xls", ".ods"), _SHEET),
    **dict.fromkeys((".orc", ".avro", ".db", ".sqlite", ".sqlite3", ".pkl", ".pickle", ".h5", ".npy"), _CONVERT),
    **dict.fromkeys((".gz", ".zst", ".bz2", ".xz", ".lz4", ".zip", ".7z", ".tar", ".tgz", ".snappy"), _UNPACK),
    ".txt": "One text a line: `jq -cR '{text: .}' FILE > data.jsonl`",
}


def source_of(path: Path | RemotePath, encoding: str = UTF8) -> Source | None:
    """The source a file's ending makes it, None when the ending is unknown; `encoding`: that of text."""
    endings = [ending.lower() for ending in path.suffixes[-2:]]
    compression = _COMPRESSIONS.get(endings[-1], "") if endings else ""
    kind = _KINDS.get(endings[-2] if compression and len(endings) == 2 else endings[-1]) if endings else None
    if kind is None or (compression and kind not in PACKED):
        return None
    return Source(path, kind, compression, encoding if kind in PACKED else UTF8)


def cure_of(path: Path | RemotePath) -> str:
    """What to do with a file of an ending that no reader takes."""
    return _CURES.get(path.suffix.lower(), "Write the data with one of these endings, or pass JSONL on stdin with `-`")
