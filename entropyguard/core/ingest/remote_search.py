"""A search behind a URL, by the rules of folders: one file, what lies below a prefix, or what a glob names."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from typing import Any

from entropyguard.core.errors import InputError
from entropyguard.core.ingest.path_patterns import fits
from entropyguard.core.ingest.saved_datasets import INFO, SPLITS, STATE, UNNAMED, named_files
from entropyguard.core.ingest.search import CHECKPOINTS, HIDDEN, Skip, reason_of
from entropyguard.core.rows.source import CHECKPOINT_MARKER
from entropyguard.core.storage.remote import Trouble, filesystem, remote_errors, shown, trouble_of
from entropyguard.core.storage.remote_path import RemotePath, url_path

_WHOLE = ("http://", "https://")  # a server tells of no folders, and `?` begins a query


def remote_files(url: str, skip: Skip) -> tuple[list[RemotePath], int | None]:
    """The files that a URL names, by name as bytes, and how many parts of their paths it spells; None: one file itself.

    What no search looks at is skipped. InputError when there is nothing, or it may not be looked at.
    """
    with remote_errors(url, InputError):
        there = _Place(url)
        if glob.has_magic(url) and not url.startswith(_WHOLE):
            if glob.has_magic(url_path(url).parts[0]):
                raise InputError(f"{url}: a wildcard cannot stand for a bucket. Name it.")
            return _matches(there, skip)
        info = None if url.endswith("/") else there.fs.info(there.path)
        if info is not None and info["type"] != "directory":
            return [RemotePath.of(url, info)], None
        return _below(there, skip)


class _Place:
    """A URL: the filesystem it names, the path in that, and what stands before it, be it a scheme or a server."""

    def __init__(self, url: str) -> None:
        self.fs, path = filesystem(url)
        self.path = path.rstrip("/")
        bare = url.rstrip("/")
        self._before = bare.removesuffix(self.path) if bare.endswith(self.path) else None

    def url_of(self, name: str) -> str:
        """The URL of what a listing calls so."""
        url: str = self.fs.unstrip_protocol(name) if self._before is None else self._before + name
        return url

    def entries(self, infos: dict[str, dict[str, Any]]) -> list[RemotePath]:
        """The files of a listing, and its folders with a slash at their end, by name as bytes."""
        found = []
        for name, info in infos.items():
            url = self.url_of(name)
            is_folder = info["type"] == "directory"
            found.append(RemotePath(f"{url.rstrip('/')}/", 0) if is_folder else RemotePath.of(url, info))
        return sorted(found, key=lambda one: one.url.encode(errors="surrogatepass"))


def _below(place: _Place, skip: Skip) -> tuple[list[RemotePath], int]:
    """The files of a folder, all the way down."""
    folder = place.url_of(place.path)
    base = len(url_path(folder).parts)
    found = place.entries(place.fs.find(place.path, detail=True))
    if any(one.parts[base] == CHECKPOINT_MARKER for one in found):
        raise InputError(
            f"{shown(folder)} is a checkpoint dir or a data repo: it holds copies of data. Name the data itself."
        )
    saved = _saved(place, found, base, skip)
    rules = {one: ["**"] * len(one.parts[base:]) for one in found}
    inside = _checkpoint_dirs(found)
    return list(_looked_at(found, base, rules, skip, inside=inside)) if saved is None else saved, base


def _saved(place: _Place, found: Sequence[RemotePath], base: int, skip: Skip) -> list[RemotePath] | None:
    """The files with the rows of a data set that `datasets` saved, as of a local one; None where it is none."""
    names = {"/".join(one.parts[base:]): one for one in found}

    def read(name: str) -> bytes | None:
        content: bytes | None = place.fs.cat_file(f"{place.path}/{name}") if name in names else None
        return content

    notes = next((names[name] for name in (SPLITS, STATE) if name in names), None)
    named = None if notes is None else named_files(str(notes).rpartition("/")[0], read)
    if named is None:
        return None
    below, files = named
    for name, one in names.items():
        if name.rpartition("/")[0] == below.rstrip("/") and name.removeprefix(below) not in {*files, STATE, INFO}:
            skip(str(one), UNNAMED)
    missing = next((name for name in files if below + name not in names), None)
    if missing is not None:
        raise InputError(f"{str(notes).rpartition('/')[0]}/{below}{missing} is missing. Check the URL.")
    return [names[below + name] for name in files]


def _matches(place: _Place, skip: Skip) -> tuple[list[RemotePath], int]:
    """The files that a glob names; one whose name is spelled just so, signs and all, where it names none."""
    pattern = url_path(place.url_of(place.path)).parts
    base = next(at for at, part in enumerate(pattern) if glob.has_magic(part))
    depth = None if "**" in pattern else len(pattern) - base  # below a `**` a listing in one go is quicker
    folder = _cut(place.path, len(pattern) - base)
    there = place.entries(place.fs.find(folder, maxdepth=depth, withdirs=depth is not None, detail=True))
    found = [one for one in there if fits(one.parts[base:], pattern[base:])]
    if not found:
        try:
            info = place.fs.info(place.path)
        except Exception as error:
            if trouble_of(error) not in {Trouble.MISSING, Trouble.DENIED}:  # who may not list is told no more
                raise
        else:
            found = [RemotePath.of(place.url_of(place.path), info)] if info["type"] == "file" else []
        return found, base
    rules = {one: _rules(one.parts[base:], pattern[base:]) for one in found}
    return list(_looked_at(found, base, rules, skip, inside=_checkpoint_dirs(there))), base


def _checkpoint_dirs(there: Sequence[RemotePath]) -> set[tuple[str, ...]]:
    """The folders with our marker in them, as parts."""
    return {one.parts[: one.parts.index(CHECKPOINT_MARKER)] for one in there if CHECKPOINT_MARKER in one.parts}


def _rules(parts: Sequence[str], pattern: Sequence[str]) -> list[str]:
    """What of the pattern stands for each part."""
    if "**" not in pattern:
        return list(pattern)
    first, behind = pattern.index("**"), pattern[::-1].index("**")
    middle = ["**"] * (len(parts) - first - behind)
    return [*pattern[:first], *middle, *pattern[len(pattern) - behind :]]


def _looked_at(
    found: Sequence[RemotePath],
    base: int,
    rules: dict[RemotePath, list[str]],
    skip: Skip,
    *,
    inside: set[tuple[str, ...]],
) -> Iterator[RemotePath]:
    """The files in whose path no part is passed over; a folder that is, is told once. inside: of checkpoint dirs."""
    told = set()
    for one in found:
        at, reason = _first_reason(one.parts, base, rules[one], inside)
        is_folder = one.url.endswith("/")
        if reason is None:
            if not is_folder:  # an object of such a name stands for a folder
                yield one
            continue
        name = _cut(str(one).rstrip("/"), len(one.parts) - 1 - at)
        if name not in told and (reason != HIDDEN or rules[one][at - base] == "**"):
            told.add(name)
            skip(name, reason)


def _first_reason(
    parts: Sequence[str], base: int, rules: Sequence[str], inside: set[tuple[str, ...]]
) -> tuple[int, str | None]:
    """Which part of a path is passed over first, and why; None for none."""
    for at, (part, rule) in enumerate(zip(parts[base:], rules, strict=True), base):
        if glob.has_magic(rule) and part[0] != rule[0]:
            if (reason := reason_of(part)) is not None:
                return at, reason
            if tuple(parts[: at + 1]) in inside:
                return at, CHECKPOINTS
    return len(parts), None


def _cut(url: str, parts: int) -> str:
    """The URL without its last so many parts."""
    return url.rsplit("/", parts)[0]
