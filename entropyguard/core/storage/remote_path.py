"""A file at a URL, in the place of a path: known by what a listing said of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from entropyguard.core.storage.remote import shown

_IDENTITIES = ("ETag", "etag", "md5Hash", "Content-MD5", "content_hash", "generation")
_TIMES = ("LastModified", "last_modified", "Last-Modified", "mtime", "modified", "updated", "created")


@dataclass(frozen=True)
class RemotePath:
    """A file at a URL, with as much of `pathlib.Path` as tells what kind of file it is.

    size: bytes; None where the server does not tell. etag: what another content would have another one of: the ETag,
    else a checksum or a time, "" where there is none of them. version: of the object, "" where it has none.
    """

    url: str
    size: int | None
    etag: str = ""
    version: str = ""
    digests: list[str] = field(default_factory=list, compare=False, repr=False)
    """Those of the content, of each time it was read from its beginning to its end."""

    @classmethod
    def of(cls, url: str, info: dict[str, Any]) -> RemotePath:
        """The file that an entry of a listing of fsspec's tells of."""
        known = next((info[name] for name in (*_IDENTITIES, *_TIMES) if info.get(name)), "")
        etag = str(known.timestamp() if isinstance(known, datetime) else known)
        version = info.get("VersionId")
        return cls(url, info.get("size"), etag.strip('"'), "" if version in {None, "null"} else str(version))

    @classmethod
    def of_state(cls, url: str, state: dict[str, Any]) -> RemotePath:
        """The file of which that was written down."""
        return cls(url, state.get("size"), state.get("etag", ""), state.get("version", ""))

    def __str__(self) -> str:
        return shown(self.url)

    @property
    def name(self) -> str:
        return self._path.name

    @property
    def parts(self) -> tuple[str, ...]:
        """The bucket or server, the folders and the name."""
        return self._path.parts

    @property
    def suffix(self) -> str:
        return self._path.suffix

    @property
    def suffixes(self) -> list[str]:
        return self._path.suffixes

    @property
    def _path(self) -> PurePosixPath:
        return url_path(self.url)

    @property
    def state(self) -> dict[str, Any]:
        """What is written down of it, and differs when the file was replaced."""
        told = {"size": self.size, "etag": self.etag, "version": self.version}
        return {name: value for name, value in told.items() if value not in {None, ""}}

    def is_same(self, other: RemotePath) -> bool:
        """Whether that is the same content, as far as can be told; not every listing tells versions."""
        return (self.size, self.etag) == (other.size, other.etag)


def url_path(url: str) -> PurePosixPath:
    """What stands behind the scheme, as a path."""
    parts = urlsplit(url)
    if parts.scheme in {"http", "https"}:  # elsewhere `?` and `#` are signs in a name
        return PurePosixPath(f"{parts.netloc}{parts.path}")
    return PurePosixPath(url.partition("://")[2])
