"""Checkpoints for users' own pipelines: `CheckpointManager`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from entropyguard.core.checkpoint.manager import CheckpointManager, CheckpointMetadata

__all__ = ["CheckpointManager", "CheckpointMetadata"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from entropyguard.core.checkpoint import manager  # polars, which the package's other modules do without

        return getattr(manager, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
