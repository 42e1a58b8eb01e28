"""A search behind a URL, by the rules of folders: one file, what lies below a prefix, or what a glob names."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from typing import Any

from entropyguard.core.errors import InputError
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
        fs, path = filesystem(url)
        if glob.has_magic(url) and not url.startswith(_WHOLE):
            if glob.has_magic(url_path(url).parts[0]):
                raise InputError(f"{url}: a wildcard cannot stand for a bucket. Name it.")
            return _matches(fs, path, skip)
        info = None if url.endswith("/") else fs.info(path)
        if info is not None and info["type"] != "directory":
            return [RemotePath.of(url, info)], None
        return _below(fs, path, skip)


def _below(fs: Any, path: str, skip: Skip) -> tuple[list[RemotePath], int]:
    """The files of a folder, all the way down."""
    base = len(url_path(fs.unstrip_protocol(path.rstrip("/"))).parts)
    found = _files(fs, fs.find(path, detail=True))
    if any(one.parts[base] == CHECKPOINT_MARKER for one in found):
        raise InputError(
            f"{shown(fs.unstrip_protocol(path))} is a checkpoint dir or a data repo: it holds copies of data. "
            "Name the data itself."
        )
    rules = {one: ["**"] * len(one.parts[base:]) for one in found}
    return list(_looked_at(found, base, rules, skip)), base


def _matches(fs: Any, path: str, skip: Skip) -> tuple[list[RemotePath], int]:
    """The files that a glob names; one whose name is spelled just so, signs and all, where it names none."""
    pattern = url_path(fs.unstrip_protocol(path)).parts
    base = next(at for at, part in enumerate(pattern) if glob.has_magic(part))
    found = _files(fs, fs.glob(path, detail=True))
    if not found:
        try:
            found = _files(fs, {path: fs.info(path)})
        except Exception as error:
            if trouble_of(error) not in {Trouble.MISSING, Trouble.DENIED}:  # who may not list is told no more
                raise
        return found, base
    rules = {one: _rules(one.parts[base:], pattern[base:]) for one in found}
    return list(_looked_at(found, base, rules, skip)), base


def _files(fs: Any, infos: dict[str, dict[str, Any]]) -> list[RemotePath]:
    """The files of a listing; an object that ends with a slash stands for a folder."""
    found = [
        RemotePath.of(fs.unstrip_protocol(name), info)
        for name, info in infos.items()
        if info["type"] == "file" and not name.endswith("/")
    ]
    return sorted(found, key=lambda one: one.url.encode(errors="surrogatepass"))


def _rules(parts: Sequence[str], pattern: Sequence[str]) -> list[str]:
    """What of the pattern stands for each part."""
    if "**" not in pattern:
        return list(pattern)
    first, behind = pattern.index("**"), pattern[::-1].index("**")
    middle = ["**"] * (len(parts) - first - behind)
    return [*pattern[:first], *middle, *pattern[len(pattern) - behind :]]


def _looked_at(
    found: Sequence[RemotePath], base: int, rules: dict[RemotePath, list[str]], skip: Skip
) -> Iterator[RemotePath]:
    """Those in whose path no part is passed over; a folder is told once."""
    inside = {one.parts[: one.parts.index(CHECKPOINT_MARKER)] for one in found if CHECKPOINT_MARKER in one.parts[:-1]}
    told = set()
    for one in found:
        at, reason = _first_reason(one.parts, base, rules[one], inside)
        if reason is None:
            yield one
            continue
        is_whole = at == len(one.parts) - 1
        name = str(one) if is_whole else _cut(one, at)
        if name not in told and not (reason == HIDDEN and rules[one][at - base] not in {"**"}):
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


def _cut(one: RemotePath, at: int) -> str:
    """The URL of the folder that is a path's part number `at`."""
    return str(one).rsplit("/", len(one.parts) - 1 - at)[0]
