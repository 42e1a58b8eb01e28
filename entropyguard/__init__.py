"""entropyguard removes exact and semantic duplicates from text data sets, as an incremental build on DVC."""

from __future__ import annotations

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("entropyguard")
