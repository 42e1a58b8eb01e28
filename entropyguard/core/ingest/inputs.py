"""Which files an input names."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from entropyguard.core.encodings import UTF8, encoding_name
from entropyguard.core.errors import DataFormatError, InputError, UsageError
from entropyguard.core.ingest.endings import ENDINGS, cure_of, source_of
from entropyguard.core.ingest.objects_note import noted_sources
from entropyguard.core.ingest.partitions import partition_folders, partitioned
from entropyguard.core.ingest.saved_datasets import saved_dataset
from entropyguard.core.ingest.search import BESIDE_DATA, ONE_OBJECT, Skip, Skipped, files_below, matches
from entropyguard.core.rows.source import CHECKPOINT_MARKER, OBJECTS, Source
from entropyguard.core.storage.remote import is_url, shown
from entropyguard.core.storage.remote_path import RemotePath

_NO_ENDING, _EMPTY = f"of another ending than {ENDINGS}", "empty"


@dataclass(frozen=True)
class FoundInput:
    """What an input names: the files to read in order, what is passed over, and the partition columns.

    Those as the first folder of each, such as `year=2024`. Of Parquet and Arrow each source has its own too, which are
    read; of other kinds nothing reads them.
    """

    sources: list[Source]
    skipped: list[Skipped]
    partitions: list[str]


def find_sources(spec: str, encoding: str = UTF8) -> list[Source]:
    """The input files of `find_input`."""
    return find_input(spec, encoding).sources


def find_input(spec: str, encoding: str = UTF8) -> FoundInput:
    """The input files that a path, a folder, a glob or a URL names, sorted by name as bytes.

    A folder is searched all the way down, without names that begin with a dot or a `_`, links to folders and
    checkpoint dirs; what is empty or has another ending is passed over. A path that exists is that path, whatever
    characters it holds. InputError when nothing is found or something may not be looked into, DataFormatError when
    the files are of several kinds. Of a data set of Hugging Face's those it names are read, in its order.
    """
    try:
        found = _found(spec, known_encoding(encoding))
    except OSError as error:
        named = spec if error.filename is None else os.fsdecode(error.filename)
        raise InputError(
            f"{named} cannot be read ({error.strerror}). Check it, and the permissions of its folders."
        ) from error
    if known_encoding(encoding) != UTF8 and found.sources[0].encoding == UTF8:
        raise UsageError(
            f"ingest.encoding {encoding} is for JSON, CSV and TSV; {found.sources[0]} is none of them. Leave it out."
        )
    return found


def known_encoding(name: str) -> str:
    """Python's name of an encoding of text; UsageError for what is none."""
    known = encoding_name(name)
    if known is None:
        raise UsageError(f"ingest.encoding is {name!r}; it must be an encoding of text, such as utf-16 or cp1252.")
    return known


def _found(spec: str, encoding: str) -> FoundInput:
    skipped = list[Skipped]()

    def skip(passed: Path | str, reason: str) -> None:
        skipped.append(Skipped(passed, reason))

    if Path(spec).name == OBJECTS and Path(spec).is_file():
        noted = noted_sources(Path(spec), encoding)
        return FoundInput(noted, [], _first_folders(folder for one in noted for folder in one.partitions))
    files, below = _searched(spec, skip)
    if below is None:
        return FoundInput([_single(files[0], encoding)], [], [])
    sources, named = _known(files, skipped, encoding), shown(spec) if is_url(spec) else spec
    if not sources:
        raise InputError(f"{named} holds no data files ({ENDINGS}). Name a file, a folder or a glob that does.")
    sources = _without_notes(sources, skip)
    if not sources:
        raise InputError(f"{named} holds no rows: {skipped[-1].path} is {skipped[-1].reason}. Name a file that does.")
    _check_one_kind(named, sources)
    filled = [source for source in sources if not _is_empty(source)]
    if not filled:
        raise InputError(f"{named}: every data file in it is empty. Name one that holds rows.")
    read = set(filled)
    skipped += [Skipped(_as_skipped(source), _EMPTY) for source in sources if source not in read]
    if filled[0].record_format == "parquet":
        filled = [partitioned(source, below) for source in filled]
    return FoundInput(filled, skipped, _partitions(filled, below))


def _searched(spec: str, skip: Skip) -> tuple[Sequence[Path | RemotePath], int | None]:
    """The files that an input may name, and how many parts of their paths it spells; None: it is one file itself."""
    path = Path(spec)
    if is_url(spec):
        from entropyguard.core.ingest.remote_search import remote_files  # only for who names a URL

        return remote_files(spec, skip)
    if path.is_dir():
        if (path / CHECKPOINT_MARKER).exists():
            raise InputError(
                f"{spec} is a checkpoint dir or a data repo: it holds copies of data. Name the data itself."
            )
        saved = saved_dataset(path, skip)
        return files_below(path, skip) if saved is None else saved, len(path.parts)
    if path.exists() or path.is_symlink() or not glob.has_magic(spec):
        return [path], None
    return matches(spec, skip), next(at for at, part in enumerate(path.parts) if glob.has_magic(part))


def _partitions(sources: list[Source], below: int) -> list[str]:
    """The first folder of each partition column, in the paths without their first `below` parts."""
    return _first_folders(folder for source in sources for folder in partition_folders(source, below))


def _first_folders(folders: Iterable[str]) -> list[str]:
    first: dict[str, str] = {}
    for folder in folders:
        first.setdefault(folder.partition("=")[0], folder)
    return list(first.values())


def _single(path: Path | RemotePath, encoding: str) -> Source:
    source = source_of(path, encoding)
    if source is None and (isinstance(path, RemotePath) or path.exists()):
        _check_regular(path)
        raise InputError(f"{path} has no ending of a data file. Known are {ENDINGS}. {cure_of(path)}.")
    source = source or Source(path, "jsonl", encoding=encoding)
    if _is_empty(source):
        raise InputError(f"{source} is empty. Name a file that holds rows.")
    return source


def _check_regular(path: Path | RemotePath) -> None:
    if isinstance(path, Path) and not path.is_file():
        raise InputError(f"{path} is no regular file. Write the data to a file, or pass it on stdin with `--input -`.")


def _is_empty(source: Source) -> bool:
    """Whether a file has no bytes; InputError for a local one that may not be read."""
    if isinstance(source.path, RemotePath):
        return source.path.size == 0
    if not source.path.exists():
        raise InputError(f"{source} is missing. Check the path.")
    _check_regular(source.path)
    if not os.access(source.path, os.R_OK):
        raise InputError(f"{source} may not be read by this user. Change its permissions.")
    return source.path.stat().st_size == 0


def _as_skipped(source: Source) -> Path | str:
    return source.path if isinstance(source.path, Path) else str(source.path)


def _known(paths: Iterable[Path | RemotePath], skipped: list[Skipped], encoding: str) -> list[Source]:
    sources = []
    for path in paths:
        source = source_of(path, encoding)
        if source is None:
            skipped.append(Skipped(path if isinstance(path, Path) else str(path), _NO_ENDING))
        else:
            sources.append(source)
    return sources


def _without_notes(sources: list[Source], skip: Skip) -> list[Source]:
    """The sources but for `.json` files beside others, and such as hold one object: notes about the data."""
    beside = any(source.kind != "json" for source in sources)
    kept = []
    for source in sources:
        if source.kind != "json" or not (reason := BESIDE_DATA if beside else _object_reason(source)):
            kept.append(source)
        else:
            skip(_as_skipped(source), reason)
    return kept


def _object_reason(source: Source) -> str | None:
    from entropyguard.core.ingest.forms import head_of  # pyarrow, only for those who have .json files
    from entropyguard.core.ingest.json_files import refusal

    there = isinstance(source.path, RemotePath) or source.path.is_file()
    return ONE_OBJECT if there and refusal(source, head_of(source) or b"") else None


def _check_one_kind(spec: str, sources: list[Source]) -> None:
    first = sources[0]
    for source in sources:
        if source.record_format != first.record_format:
            raise DataFormatError(
                f"{spec} mixes {first.kind} ({first.path.name}) and {source.kind} ({source.path.name}). "
                "Name files of one kind, for example with a glob."
            )
