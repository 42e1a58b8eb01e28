"""What the work of a stage is given: where to read and to write, with which settings, and who listens.

In a project it is a `ProjectRun`, which checks, watches and records; `entropyguard.dedup` has one of its own over a
private folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from entropyguard.core.embed.encoder import Encoder
    from entropyguard.core.params import Params
    from entropyguard.core.pool.pool import Pool
    from entropyguard.core.pool.spread import Spread
    from entropyguard.core.progress import Progress
    from entropyguard.core.rows.source import Place
    from entropyguard.core.storage.checkpoint import Checkpoint
    from entropyguard.core.storage.parts import PartStore
    from entropyguard.core.storage.remote_path import RemotePath

Counts = dict[str, int]


class StageRun(Protocol):
    """One run of one stage."""

    params: Params
    progress: Progress
    threads: int | None
    """How many to use; None is all."""
    max_memory: int
    """Bytes."""
    allow_download: bool
    pool: Pool
    """Where units of its work are done."""

    def watch(self, path: Path | RemotePath) -> None:
        """Remember a file that the result depends on; the run fails if it has other content at its end.

        A remote one is never read as another than it was listed as.
        """

    def is_at_rest(self) -> bool:
        """Whether no watched file was touched since the last look; InputError when one has other content.

        Who reads a file that others may write to reads it again then: it may have been another one in between.
        """

    def input(self, name: str) -> Path:
        """An output of another stage that this one reads."""

    def checkpoint(self, name: str) -> Checkpoint:
        """The same, of a Parquet file: opened."""

    def output(self, name: str) -> Path:
        """Where to write an output."""

    def place(self, place: Place) -> str:
        """Where a row of the input stands, for messages."""

    def note(self, line: str) -> None:
        """Tell the user something that is no failure."""

    def encoder(self) -> Encoder:
        """The model in the parameters, loaded; UsageError when its files are not those of the fingerprint there."""

    def vector_store(self) -> PartStore | None:
        """Where vectors are kept by content; None keeps none."""

    def near_store(self) -> PartStore | None:
        """Where near_dedup keeps what it found out about texts and pairs of them."""

    def block_store(self) -> PartStore | None:
        """Where finished blocks of the search are kept."""

    def spread(self, threads: int = 1) -> Spread | None:
        """The pool with a place for what comes of units; None where it gains nothing over what a stage does by itself.

        threads: how many cores the stage keeps busy then.
        """
