"""Reading a remote file: by ranges, tried again where the connection breaks, and never as another file.

S3 is asked for each range under `If-Match`. Where a filesystem has no such thing, what it tells of the file is compared
before the first and behind the last byte.
"""

from __future__ import annotations

import contextlib
import io
import time
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import xxhash

from entropyguard.core.errors import InputError
from entropyguard.core.storage.prefetch import prefetched
from entropyguard.core.storage.remote import Trouble, filesystem, remote_errors, trouble_of
from entropyguard.core.storage.remote_path import RemotePath

_FIRST_BLOCK, _BLOCK = 1 << 20, 8 << 20  # many look at a file's head only
_RANGE, _RANGES_HELD = 1 << 20, 64
_SMALLEST = 64 << 10
_WAITS = (0.5, 1, 2, 4)
"""Seconds before a read is tried again, beside what the filesystem does by itself."""
_PASSING = {Trouble.CUT, Trouble.UNREACHABLE}


class _RemoteFile:
    """A remote file that is open: ranges of it."""

    def __init__(self, path: RemotePath) -> None:
        self._path, self._most = path, _BLOCK
        with remote_errors(path.url, InputError):
            self._fs, self._name = filesystem(path.url)
            known = {"size": path.size} if path.etag and path.size is not None and "s3" in self._fs.protocol else {}
            self._file = self._fs.open(self._name, "rb", block_size=_BLOCK, cache_type="none", **known)
            self._is_guarded = bool(known) and hasattr(self._file, "read_kw")
            if (
                self._is_guarded
            ):  # what was listed is enough to ask for: another request for each file would say no more
                etag = f'"{path.etag}"'
                self._file.details = {"name": self._name, "type": "file", "size": path.size, "ETag": etag}
                self._file.read_kw = {**self._file.read_kw, "IfMatch": etag}
            else:
                self._check(self._fs.info(self._name))

    def read(self, start: int, size: int) -> bytes:
        """`size` bytes from `start` on, fewer at the end; InputError where they cannot be had.

        Where the connection breaks, smaller parts are asked for from there on, and larger ones again when these come.
        """
        whole = size if self._path.size is None else min(size, self._path.size - start)
        parts: list[bytes] = []
        got = failed = 0
        with remote_errors(self._path.url, InputError):
            while got < whole:
                wanted = min(self._most, whole - got)
                try:
                    parts.append(self._read(start + got, wanted))
                except Exception as error:
                    if failed == len(_WAITS) or trouble_of(error) not in _PASSING:
                        raise
                    time.sleep(_WAITS[failed])
                    failed, self._most = failed + 1, max(wanted // 8, _SMALLEST)
                    continue
                if not parts[-1]:
                    break
                got, failed = got + len(parts[-1]), 0
                self._most = min(2 * self._most, _BLOCK)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _read(self, start: int, size: int) -> bytes:
        self._file.seek(start)
        data: bytes = self._file.read(size)
        if self._path.size is not None and len(data) != size:
            raise ConnectionError(f"{len(data)} bytes came of {size} from {start} on")
        return data

    def check_end(self) -> None:
        """InputError when the file is another one than at the beginning; S3 was asked with every range."""
        if not self._is_guarded:
            with remote_errors(self._path.url, InputError):
                self._check(self._fs.info(self._name))

    def _check(self, info: dict[str, Any]) -> None:
        if not self._path.is_same(RemotePath.of(self._path.url, info)):
            raise InputError(Trouble.CHANGED.value.format(self._path))

    def close(self) -> None:
        self._file.close()


class RemoteStream(io.RawIOBase):
    """The bytes of a remote file from first to last, some MB ahead of who reads them."""

    def __init__(self, path: RemotePath) -> None:
        super().__init__()
        self._path = path
        self._file = _RemoteFile(path)
        self._blocks = prefetched(self._read_blocks(), depth=2)
        self._held = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._held:
            self._held = memoryview(next(self._blocks, b""))
        count = min(len(buffer), len(self._held))
        buffer[:count] = self._held[:count]
        self._held = self._held[count:]
        return count

    def _read_blocks(self) -> Iterator[bytes]:
        digest, start, size = xxhash.xxh3_128(), 0, _FIRST_BLOCK
        while self._path.size is None or start < self._path.size:
            block = self._file.read(start, size)
            if not block:
                break
            digest.update(block)
            yield block
            start, size = start + len(block), min(2 * size, _BLOCK)
        self._file.check_end()
        self._path.digests.append(digest.hexdigest())

    def close(self) -> None:
        if not self.closed:
            with contextlib.closing(self._file):
                self._blocks.close()  # waits for what is on its way
        super().close()


class RemoteRanges(io.RawIOBase):
    """A remote file to read anywhere; small reads from a few ranges that are held, large ones as they are asked for."""

    def __init__(self, path: RemotePath) -> None:
        super().__init__()
        if path.size is None:
            raise InputError(Trouble.WHOLE_ONLY.value.format(path))
        self._file = _RemoteFile(path)
        self._size, self._at = path.size, 0
        self._held: OrderedDict[int, bytes] = OrderedDict()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        end = self._size if size < 0 else min(self._at + size, self._size)
        step = _BLOCK if end - self._at > 2 * _RANGE else _RANGE
        parts = []
        while self._at < end:
            start = self._at if step == _BLOCK else self._at - self._at % _RANGE
            data = self._file.read(start, min(step, end - start)) if step == _BLOCK else self._range(start)
            parts.append(data[self._at - start : end - start])
            self._at += len(parts[-1])
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _range(self, start: int) -> bytes:
        if start not in self._held:
            self._held[start] = self._file.read(start, min(_RANGE, self._size - start))
            if len(self._held) > _RANGES_HELD:
                self._held.popitem(last=False)
        self._held.move_to_end(start)
        return self._held[start]

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()
