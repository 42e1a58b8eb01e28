"""Python loads this at the start of every process whose PYTHONPATH names this folder: it plays another processor.

The variable PLAYED_PROCESSOR names it: `amx` or `avx2`, see `--processor` in `tests/conftest.py`. The product has no
hook for it: what Linux tells about the processor is read differently, and that is where the product looks.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

_BEYOND_AVX2 = re.compile(r"\b(?:amx|avx512|avx10|avx_)\w*")


def _play(processor: str) -> None:
    real = Path.read_text

    def read_text(path: Path, *arguments: Any, **named: Any) -> str:
        text = real(path, *arguments, **named)
        if str(path) != "/proc/cpuinfo":
            return text
        plain = _BEYOND_AVX2.sub("", text)
        return re.sub(r"^flags.*", r"\g<0> amx_bf16", plain, flags=re.MULTILINE) if processor == "amx" else plain

    setattr(Path, "read_text", read_text)  # noqa: B010  mypy: a method is no variable


if "PLAYED_PROCESSOR" in os.environ:
    _play(os.environ["PLAYED_PROCESSOR"])
