"""The folder of --vector-cache: how big it is, and removing what is of no use any more."""

from __future__ import annotations

from pathlib import Path

from entropyguard.core.embed.loader import load_encoder
from entropyguard.core.embed.model import resolve_model
from entropyguard.core.embed.vector_store import CACHE_MARKER, encoder_folders, prune_encoders
from entropyguard.core.errors import UsageError
from entropyguard.core.storage.own_files import Removed, refuse_link
from entropyguard.core.storage.parts import PartStore


def cache_bytes(folder: Path) -> int:
    """What the vectors take on disk."""
    return sum(PartStore(encoder).size_bytes() for encoder in encoder_folders(PartStore(folder)))


def prune_cache(folder: Path, model_name: str) -> Removed:
    """Remove the vectors that `model_name`, as installed on this machine, cannot use.

    UsageError, and nothing is removed, for a folder that no run has used as its --vector-cache.
    """
    refuse_link(folder, "--vector-cache")
    if not (folder / CACHE_MARKER).is_file():
        raise UsageError(
            f"--vector-cache {folder} holds no vectors of entropyguard ({CACHE_MARKER} is missing); "
            "nothing was removed."
        )
    model = resolve_model(model_name, allow_download=False)
    return prune_encoders(PartStore(folder), keep=load_encoder(model).fingerprint)
