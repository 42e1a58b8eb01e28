"""Files that must stay as they are while they are read.

Their stat is watched, and where it differs the digest decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from entropyguard.core.storage.files import FileState, content_digest


@dataclass(frozen=True)
class Seen:
    """A file as it was at one moment."""

    state: dict[str, Any]
    digest: str

    @classmethod
    def of(cls, path: Path, digest: str | None = None) -> Seen:
        """The file that lies there now; its content is read where its digest is not known."""
        state = FileState.of(path)  # first: what changes while the content is read is told from it
        return cls(state.as_dict(), content_digest(path) if digest is None else digest)

    def is_untouched(self, path: Path) -> bool:
        """Whether the file's stat is the same; nothing is read."""
        return path.is_file() and FileState.of(path).as_dict() == self.state

    def is_same(self, path: Path) -> bool:
        """Whether the file has the same content: it is read only where its stat differs."""
        return self.is_untouched(path) or (path.is_file() and content_digest(path) == self.digest)


class Watched:
    """Files by their paths, each as it was when it was added."""

    def __init__(self) -> None:
        self.seen: dict[Path, Seen] = {}

    def add(self, path: Path, digest: str | None = None) -> None:
        """Remember a file; `digest` is that of its content where it is known."""
        self.seen[path] = Seen.of(path, digest)

    def changed(self) -> Path | None:
        """The first file that has other content now, None where there is none."""
        return next((path for path, seen in self.seen.items() if not seen.is_same(path)), None)

    def look_again(self) -> tuple[bool, Path | None]:
        """Whether the stat of some file differs, and the first that has other content.

        Those that have not are from now on watched as they are now.
        """
        touched = [path for path, seen in self.seen.items() if not seen.is_untouched(path)]
        for path in touched:
            now = Seen.of(path) if path.is_file() else None
            if now is None or now.digest != self.seen[path].digest:
                return True, path
            self.seen[path] = now
        return bool(touched), None
