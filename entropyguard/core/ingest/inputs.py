"""Which files an input names."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from pathlib import Path

from entropyguard.core.errors import DataFormatError, InputError
from entropyguard.core.rows.source import CHECKPOINT_MARKER, Source

_KINDS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet"}
_COMPRESSIONS = {".gz": "gz", ".zst": "zst"}
ENDINGS = ".jsonl .ndjson .csv .parquet, JSONL also with .gz or .zst"


def find_sources(spec: str) -> list[Source]:
    """The input files that a path, a folder or a glob names, sorted by name as bytes.

    A folder is searched all the way down, without hidden files, links to folders and checkpoint dirs; what is
    empty or has another ending is passed over. A path that exists is that path, whatever characters it holds.
    InputError when nothing is found, DataFormatError when the files are of several kinds.
    """
    path = Path(spec)
    if path.is_dir():
        sources = _known(_files_below(path))
    elif path.exists() or path.is_symlink() or not glob.has_magic(spec):
        return [_single(path)]
    else:
        matches = (Path(match) for match in glob.iglob(spec, recursive=True))  # noqa: PTH207  spec may be absolute
        sources = _known(sorted((match for match in matches if not match.is_dir()), key=os.fsencode))
    if not sources:
        raise InputError(f"{spec} holds no data files ({ENDINGS}). Name a file, a folder or a glob that does.")
    _check_one_kind(spec, sources)
    filled = [source for source in sources if _checked(source).stat().st_size > 0]
    if not filled:
        raise InputError(f"{spec}: every data file in it is empty. Name one that holds rows.")
    return filled


def _single(path: Path) -> Source:
    source = _source(path)
    if source is None and path.exists():
        raise InputError(f"{path} has no ending of a data file. Known are {ENDINGS}; rename the file.")
    source = source or Source(path, "jsonl")
    if _checked(source).stat().st_size == 0:
        raise InputError(f"{source} is empty. Name a file that holds rows.")
    return source


def _checked(source: Source) -> Path:
    """The path of a source that is a file we may read."""
    if not source.path.exists():
        raise InputError(f"{source} is missing. Check the path.")
    if not source.path.is_file():
        raise InputError(f"{source} is no regular file. Write the data to a file, or pass it on stdin with `-`.")
    if not os.access(source.path, os.R_OK):
        raise InputError(f"{source} may not be read by this user. Change its permissions.")
    return source.path


def _source(path: Path) -> Source | None:
    """The source a file's ending makes it, None when the ending is unknown."""
    endings = [ending.lower() for ending in path.suffixes[-2:]]
    compression = _COMPRESSIONS.get(endings[-1], "") if endings else ""
    kind = _KINDS.get(endings[-2] if compression and len(endings) == 2 else endings[-1]) if endings else None
    if kind is None or (compression and kind != "jsonl"):
        return None
    return Source(path, kind, compression)


def _known(paths: Iterable[Path]) -> list[Source]:
    return [source for source in map(_source, paths) if source is not None]


def _files_below(folder: Path) -> list[Path]:
    found = []
    for here, folders, names in os.walk(folder):
        parent = Path(here)
        # A checkpoint dir below the data holds copies of it, not data.
        folders[:] = [
            name for name in folders if not name.startswith(".") and not (parent / name / CHECKPOINT_MARKER).exists()
        ]
        found += [parent / name for name in names if not name.startswith(".")]
    return sorted(found, key=lambda path: os.fsencode(path.relative_to(folder)))


def _check_one_kind(spec: str, sources: list[Source]) -> None:
    first = sources[0]
    for source in sources:
        if source.kind != first.kind:
            raise DataFormatError(
                f"{spec} mixes {first.kind} ({first.path.name}) and {source.kind} ({source.path.name}). "
                "Name files of one kind, for example with a glob."
            )
