"""Emptying a folder of what is ours in it, known by exact names; whatever else lies there stays, and is named."""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from entropyguard.core.errors import UsageError
from entropyguard.core.storage.temporary import is_temporary, remove_if_abandoned


class OwnNames:
    """Regular expressions for paths relative to a folder, `/` between parts; a folder's own ends in `/`.

    links: for the paths of symbolic links; one with any other path is not ours.
    """

    def __init__(self, names: Iterable[str], links: Iterable[str] = ()) -> None:
        self._names = re.compile("|".join(f"(?:{name})" for name in names) or r"(?!)")
        self._links = re.compile("|".join(f"(?:{name})" for name in links) or r"(?!)")

    def __contains__(self, name: str) -> bool:
        return self._names.fullmatch(name) is not None

    def has_link(self, name: str) -> bool:
        """Whether a link of this path is ours."""
        return self._links.fullmatch(name) is not None


@dataclass
class Removed:
    """The bytes that were freed on disk, and the paths that stay because they are not ours, relative to the folder."""

    freed: int = 0
    kept: list[str] = field(default_factory=list)


def refuse_link(path: Path, flag: str = "") -> None:
    """UsageError for a link in the place of a folder that is to be emptied; `flag`: the one that names it."""
    if path.is_symlink():
        named = f"{flag} {path}".strip()
        raise UsageError(f"{named} is a link to {path.readlink()}; nothing was removed. Name the folder itself.")


def remove_own(root: Path, own: OwnNames, below: Iterable[str] = ("",), spared: Container[str] = ()) -> Removed:
    """Remove every file below the folder that is ours, and folders of ours that are empty then; the folder stays.

    below: only in these folders, relative to `root` and ending in `/`. spared: paths that stay without a word.
    No link is followed.
    """
    removed = Removed()
    for name in below:
        folder = root / name
        if folder.is_symlink():
            removed.kept.append(name.rstrip("/"))
        elif folder.is_dir():
            _empty(folder, name, own, spared, removed)
            if name and not any(folder.iterdir()):
                folder.rmdir()
    return removed


def _empty(folder: Path, prefix: str, own: OwnNames, spared: Container[str], removed: Removed) -> None:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        name = _text(prefix + entry.name)
        if name in spared:
            continue
        if entry.is_dir(follow_symlinks=False):
            _empty_folder(Path(entry.path), f"{name}/", own, spared, removed)
        elif not _remove_file(entry, name, own, removed):
            removed.kept.append(name)


def _empty_folder(folder: Path, name: str, own: OwnNames, spared: Container[str], removed: Removed) -> None:
    if name not in own:
        removed.kept.append(name)
        return
    _empty(folder, name, own, spared, removed)
    if not any(folder.iterdir()):
        folder.rmdir()


def _remove_file(entry: os.DirEntry[str], name: str, own: OwnNames, removed: Removed) -> bool:
    """Remove a file or link if it is ours; whether it was."""
    state = entry.stat(follow_symlinks=False)
    if is_temporary(entry.name):
        gone = remove_if_abandoned(Path(entry.path))
    else:
        gone = own.has_link(name) if entry.is_symlink() else entry.is_file(follow_symlinks=False) and name in own
        if gone:
            Path(entry.path).unlink()
    if gone and state.st_nlink == 1:  # else it still lies somewhere under another name
        removed.freed += state.st_blocks * 512
    return gone


def _text(name: str) -> str:
    """A file's name as text, whatever its bytes are."""
    return os.fsencode(name).decode(errors="backslashreplace")
