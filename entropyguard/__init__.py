"""entropyguard removes exact, near and semantic duplicates from text data sets, as an incremental build on DVC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from entropyguard.core.checkpoint import CheckpointManager

    __version__: str

__all__ = ["CheckpointManager", "__version__"]


def __getattr__(name: str) -> Any:
    # What is asked for is imported then: a stage's start is short.
    if name == "__version__":
        from importlib.metadata import version

        return version("entropyguard")
    if name == "CheckpointManager":
        from entropyguard.core.checkpoint import CheckpointManager

        return CheckpointManager
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
