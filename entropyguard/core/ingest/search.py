"""A search through folders, down from one or by a glob: what is found there, and what is passed over and why.

A folder that may not be searched raises OSError: a part of the input that is silently left out is worse than no run.
"""

from __future__ import annotations

import fnmatch
import glob
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from entropyguard.core.rows.source import CHECKPOINT_MARKER

HIDDEN = "hidden"
NO_DATA = "by its `_` no data"
DELTA_LOG = "the log of a Delta table, which is not read: rows that it calls deleted are read too"
CHECKPOINTS = "a checkpoint dir or data repo of entropyguard, which holds copies of data"
BESIDE_DATA = "`.json` beside other data, taken for notes about it"
ONE_OBJECT = "one JSON object, not an array of rows"
LINKED_FOLDER = "a link to a folder"


@dataclass(frozen=True)
class Skipped:
    """A file or a folder that is not read."""

    path: Path | str
    reason: str


Skip = Callable[[Path | str, str], None]


def files_below(folder: Path, skip: Skip) -> list[Path]:
    """The files of a folder all the way down, by their path below it as bytes; links to folders are not followed."""
    found = []
    for here, folders, names in os.walk(folder, onerror=_raised):
        parent = Path(here)
        folders[:] = [name for name in folders if not _passed_over(parent / name, skip, is_folder=True)]
        found += [parent / name for name in names if not _passed_over(parent / name, skip, is_folder=False)]
    return sorted(found, key=lambda path: os.fsencode(path.relative_to(folder)))


def _raised(error: OSError) -> None:
    raise error


def _passed_over(path: Path, skip: Skip, *, is_folder: bool) -> bool:
    reason = reason_of(path.name)
    if reason is None and is_folder:
        reason = LINKED_FOLDER if path.is_symlink() else _reason_of_folder(path)
    if reason is not None:
        skip(path, reason)
    return reason is not None


def reason_of(name: str) -> str | None:
    """Why a name is none of data, as in Spark and Arrow; `_year=2024` is the name of a partition."""
    if name.startswith("."):
        return HIDDEN
    if name == "_delta_log":
        return DELTA_LOG
    return NO_DATA if name.startswith("_") and "=" not in name else None


def _reason_of_folder(path: Path) -> str | None:
    try:
        return CHECKPOINTS if (path / CHECKPOINT_MARKER).exists() else None
    except OSError as error:  # it may not be searched
        raise OSError(error.errno, error.strerror, str(path)) from error


def matches(spec: str, skip: Skip) -> list[Path]:
    """The files that a glob names, by name as bytes. `**` stands for any folders, none too.

    A wildcard stands for no name that begins with a dot or, unless it is spelled in the pattern, a `_`, nor for a
    checkpoint dir.
    """
    parts = [part for part in spec.split("/") if part]
    root = Path("/") if spec.startswith("/") else Path()
    return sorted(dict.fromkeys(_expanded(root, parts, skip, ())), key=os.fsencode)


def _expanded(folder: Path, parts: list[str], skip: Skip, above: tuple[tuple[int, int], ...]) -> Iterator[Path]:
    part, rest = parts[0], parts[1:]
    if not glob.has_magic(part):
        path = folder / part
        if rest and path.is_dir():
            yield from _expanded(path, rest, skip, ())
        elif not rest and os.path.lexists(path) and not path.is_dir():
            yield path
        return
    if part == "**" and rest:
        yield from _expanded(folder, rest, skip, ())
    above = (*above, _identity(folder))
    for path, into in _entries(folder, part, skip, last=not rest):
        if not into:
            yield path
        elif part != "**":
            yield from _expanded(path, rest, skip, ())
        elif _identity(path) not in above:  # a link may lead back to where it lies
            yield from _expanded(path, parts, skip, above)


def _entries(folder: Path, part: str, skip: Skip, *, last: bool) -> Iterator[tuple[Path, bool]]:
    """What a wildcard stands for in a folder, and whether it is a folder to go into; files only as the last part."""
    for path in sorted(folder.iterdir()):
        reason = None if path.name.startswith(part[0]) else reason_of(path.name)
        if reason == HIDDEN or (part != "**" and not fnmatch.fnmatchcase(path.name, part)):
            continue
        into = path.is_dir()
        if into and reason is None and (part == "**" or not last):
            reason = _reason_of_folder(path)
        if reason is not None and (into or last):
            skip(path, reason)
        elif reason is None and (into != last or (into and part == "**")):
            yield path, into


def _identity(folder: Path) -> tuple[int, int]:
    stat = folder.stat()
    return stat.st_dev, stat.st_ino
