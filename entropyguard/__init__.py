"""entropyguard removes exact and semantic duplicates from text data sets, as an incremental build on DVC."""

from __future__ import annotations

__all__ = ["__version__"]


def __getattr__(name: str) -> str:
    if name == "__version__":
        from importlib.metadata import version  # a tenth of a stage's start, and few ask for it

        return version("entropyguard")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
