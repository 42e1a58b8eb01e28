"""A unit of the search: something that is made for a block row, as parts of the search's store."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from entropyguard.core.pairs.block_store import Parts, StoredBlock
from entropyguard.core.pairs.candidates import CandidateSearch, ExactSearch, SearchSizes
from entropyguard.core.pairs.ivf import IvfSearch
from entropyguard.core.pairs.query_blocks import BlockRows
from entropyguard.core.pairs.vectors import Vectors, Windows, load_vectors
from entropyguard.core.params import SearchParams
from entropyguard.core.progress import Progress
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.files import FileState
from entropyguard.core.storage.parts import PartStore

PAIRS = "pairs"
"""The step that comes last, after those of the search."""


@dataclass(frozen=True)
class SearchUnit:
    """A step for a block row. name, stored: of its pairs, if that is the step; some of these are missing."""

    step: str
    block: int
    name: str = ""
    stored: StoredBlock | None = None

    def __str__(self) -> str:
        return f"{self.step} of block row {self.block:,}"


@dataclass(frozen=True)
class Search:
    """All that decides a search, and how much memory (bytes) it may take; the same wherever it is opened.

    blocks: the folder of the store. threads: of the matrix products; None is all.
    """

    embeddings: Path
    params: SearchParams
    blocks: Path
    max_memory: int
    threads: int | None
    sizes: SearchSizes

    def opened(self, parts: Parts, spill: Path) -> tuple[Vectors, BlockRows]:
        """The vectors, and their block rows. What does not fit in memory lies in nameless files in `spill`."""
        vectors = load_vectors(Checkpoint(self.embeddings), self.max_memory // 2, spill)
        candidates = self._candidates(vectors.windows, parts, spill)
        return vectors, BlockRows(vectors.windows, candidates, self.params.floor, parts, self.max_memory)

    def _candidates(self, windows: Windows, parts: Parts, spill: Path) -> CandidateSearch:
        """The search that suits so many rows."""
        settings = self.max_memory // 8, spill, self.threads, self.sizes
        if is_exhaustive(len(windows.first), self.params):
            return ExactSearch(windows.first, self.params.floor, *settings)
        return IvfSearch(windows, self.params, parts, *settings)


class SearchWork:
    """What is done with a unit: it returns the parts with the pairs of its block row, or none."""

    def __init__(self, search: Search, block_rows: BlockRows) -> None:
        self._search, self._block_rows = search, block_rows

    def __call__(self, unit: SearchUnit, progress: Progress) -> list[Path]:  # noqa: ARG002  nobody knows how far it is
        """Make what is not there."""
        if unit.stored is not None:
            return self._block_rows.shards(unit.block, unit.stored)
        self._block_rows.make(unit.step, unit.block)
        return []

    def __reduce__(self) -> tuple[object, ...]:
        """Another process opens the search itself, once: the vectors are too many to send."""
        return _opened, (self._search, FileState.of(self._search.embeddings))


@lru_cache(1)
def _opened(search: Search, _state: FileState) -> SearchWork:
    spill = Path(tempfile.gettempdir())  # of the machine that works: it need not be shared
    each = replace(search, max_memory=search.max_memory // (os.cpu_count() or 1))  # there is a worker for each core
    return SearchWork(search, each.opened(Parts(PartStore(search.blocks)), spill)[1])


def is_exhaustive(rows: int, search: SearchParams) -> bool:
    """Whether every pair of so many rows is looked at: decided by the data's size and the parameters alone."""
    return rows < max(1, search.exact_below_rows) or search.target_recall == 1
