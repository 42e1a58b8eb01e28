"""Files on disk: whole or absent, and known by digest and stat.

A reader never sees half a file: everything is written beside its place and renamed into it.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import xxhash

from entropyguard.core.storage.temporary import temporary_file

_CHUNK = 4 << 20


@dataclass(frozen=True)
class FileState:
    """What tells an untouched file from a touched one without reading it.

    `ctime_ns` is in it because no program can set it back: an edit with the mtime restored still shows.
    """

    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, path: Path) -> FileState:
        """The state of the file behind `path` (links followed)."""
        stat = path.stat()
        return cls(stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


def content_digest(path: Path) -> str:
    """xxh3-128 of a file's bytes, as 32 hexadecimal digits: finds damage, at the speed of the page cache."""
    digest = xxhash.xxh3_128()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def md5_digest(path: Path) -> str:
    """The md5 of a file's bytes: what DVC knows a file by."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def directory_hash(md5s: dict[str, str]) -> str:
    """DVC's hash of a folder, from the md5 of each file by its path relative to it (`/` between parts)."""
    entries = [{"md5": md5, "relpath": name} for name, md5 in sorted(md5s.items())]
    return hashlib.md5(json.dumps(entries, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir"


def sync_file(path: Path) -> None:
    """Force a file's bytes to the disk, so that a rename after it never shows an empty file."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def put_in_place(temporary: Path, final: Path, *, durable: bool = True) -> None:
    """Sync `temporary`, unless a power cut may lose it, and rename it to `final` (same filesystem)."""
    if durable:
        sync_file(temporary)
    temporary.replace(final)


def write_whole(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write a small file so that `path` holds either the old bytes or all of the new ones.

    `durable=False` leaves out the sync: for notes that a power cut may lose.
    """
    with temporary_file(path.parent) as temporary:
        temporary.write_bytes(data)
        if durable:
            sync_file(temporary)
        temporary.replace(path)


def write_if_changed(path: Path, data: bytes) -> None:
    """`write_whole`, unless the file holds just that; its folder is made."""
    if not path.is_file() or path.read_bytes() != data:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)


def write_json(path: Path, value: Any, *, durable: bool = True) -> None:
    """`write_whole` of a value as indented JSON, keys in the order given."""
    try:
        data = json.dumps(value, indent=2, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # the name of a file that is no text
        data = json.dumps(value, indent=2).encode()
    write_whole(path, data + b"\n", durable=durable)


def read_json(path: Path) -> Any:
    """The value in a JSON file, or None where there is no readable one."""
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
