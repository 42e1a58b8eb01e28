"""Pieces of the input, each of which can be read without the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from entropyguard.core.rows.source import Source


@dataclass(frozen=True)
class Piece:
    """A file of the input, number `file` from 0, or what begins in it from `start` up to `end` (None: its own end).

    These count bytes of JSON lines, row groups of Parquet. `before`: the rows of the row groups before it.
    """

    file: int
    source: Source
    start: int = 0
    end: int | None = None
    before: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the file."""
        return self.start == 0 and self.end is None

    def __str__(self) -> str:
        """The piece for messages."""
        return str(self.source) if self.is_whole else f"{self.source} from {self.start}"


def whole_files(sources: Sequence[Source]) -> list[Piece]:
    """Each file as one piece."""
    return [Piece(file, source) for file, source in enumerate(sources)]
