"""The file that stands for remote files in a checkpoint dir: which ones, each as a listing had it, and so to be read.

DVC hashes it as it hashes the file of another input: other objects, other content.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from entropyguard.core.errors import InputError
from entropyguard.core.ingest.endings import source_of
from entropyguard.core.rows.source import Source
from entropyguard.core.storage.remote_path import RemotePath

_TOLD = 3


def note_of(sources: Sequence[Source]) -> bytes:
    """The note: a JSON object a line for each file, in order."""
    lines = []
    for source in sources:
        if isinstance(source.path, RemotePath):
            partitions = {"partitions": list(source.partitions)} if source.partitions else {}
            lines.append(json.dumps({"url": source.path.url, **source.path.state, **partitions}))
    return "".join(line + "\n" for line in lines).encode()


def noted_sources(note: Path, encoding: str) -> list[Source]:
    """The sources of a note; InputError where it is none of ours."""
    try:
        return list(_sources(note, encoding))
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{note} is not as entropyguard wrote it. Run again with --resume.") from error


def _sources(note: Path, encoding: str) -> Iterator[Source]:
    for line in note.read_text(encoding="utf-8").splitlines():
        told = json.loads(line)
        path = RemotePath.of_state(told["url"], told)
        source = source_of(path, encoding)
        if source is None:
            raise ValueError(line)
        yield Source(path, source.kind, source.compression, source.encoding, tuple(told.get("partitions", ())))


def objects_change(before: dict[str, dict[str, Any]], now: Sequence[RemotePath], *, added: bool = True) -> str | None:
    """Which files are not what they were, by URL and state; None where all are. added: whether new ones count."""
    states = {path.url: path for path in now}
    told = [
        f"{path} was replaced"
        for url, path in states.items()
        if url in before and not path.is_same(RemotePath.of_state(url, before[url]))
    ]
    if added:
        told += [f"{path} was added" for url, path in states.items() if url not in before]
    told += [f"{RemotePath(url, None)} is gone" for url in before if url not in states]
    more = f", and {len(told) - _TOLD} more changed" if len(told) > _TOLD else ""
    return ", ".join(told[:_TOLD]) + more or None
