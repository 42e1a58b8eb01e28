"""The folder of --vector-cache: how big it is, and removing what is of no use any more."""

from __future__ import annotations

from pathlib import Path

from entropyguard.core.embed.loader import load_encoder
from entropyguard.core.embed.model import resolve_model
from entropyguard.core.embed.vector_store import prune_encoders
from entropyguard.core.errors import UsageError
from entropyguard.core.storage.parts import PartStore


def cache_sizes(folder: Path) -> dict[str, int]:
    """Bytes on disk by encoder; UsageError when `folder` is no vector cache."""
    _check(folder)
    return {entry.name: PartStore(entry).size_bytes() for entry in sorted(folder.iterdir()) if entry.is_dir()}


def prune_cache(folder: Path, model_name: str) -> int:
    """Remove the vectors that `model_name`, as installed on this machine, cannot use; returns the bytes freed."""
    _check(folder)
    model = resolve_model(model_name, allow_download=False)
    # A run uses both: bfloat16 to find candidates, float32 to decide about them.
    used = {load_encoder(model, precision=precision).fingerprint for precision in ("float32", "bfloat16")}
    return prune_encoders(PartStore(folder), used)


def _check(folder: Path) -> None:
    """Only folders of parts may be in it: a slip of the hand must not cost somebody's data."""
    entries = list(folder.iterdir()) if folder.is_dir() else []
    files = [path for entry in entries for path in (entry.iterdir() if entry.is_dir() else [entry])]
    if not entries or any(not path.name.startswith((".part-", "vectors-", "embeddings-")) for path in files):
        raise UsageError(f"{folder} is no folder of --vector-cache; nothing was removed.")
