"""entropyguard removes exact, near and semantic duplicates from text data sets, as an incremental build on DVC."""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` takes half as long to load as Python takes to start, which a run does many times
if TYPE_CHECKING:
    from typing import Any

    from entropyguard.api.dedup import dedup
    from entropyguard.api.result import DedupResult
    from entropyguard.core.checkpoint import CheckpointManager

    __version__: str

__all__ = ["CheckpointManager", "DedupResult", "__version__", "dedup"]


def __getattr__(name: str) -> Any:
    # What is asked for is imported then: a stage's start is short.
    if name == "__version__":
        from importlib.metadata import version

        return version("entropyguard")
    if name == "dedup":
        from entropyguard.api.dedup import dedup

        return dedup
    if name == "DedupResult":
        from entropyguard.api.result import DedupResult

        return DedupResult
    if name == "CheckpointManager":
        from entropyguard.core.checkpoint import CheckpointManager

        return CheckpointManager
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
