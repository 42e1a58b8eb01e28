"""Lies on the path of one node: what that node plays to be, by its environment."""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path
from typing import Any

if package := os.environ.get("PLAYED_OLD"):
    version = importlib.metadata.version

    def older(name: str) -> str:
        return "0.1" if name == package else version(name)

    setattr(importlib.metadata, "version", older)  # noqa: B010  for mypy, it is another type

if "PLAYED_BLIND" in os.environ:
    read_text = Path.read_text

    def blind(path: Path, *arguments: Any, **named: Any) -> str:
        if path.name.startswith("seen-by-all-"):
            raise FileNotFoundError(path)
        return read_text(path, *arguments, **named)

    setattr(Path, "read_text", blind)  # noqa: B010
