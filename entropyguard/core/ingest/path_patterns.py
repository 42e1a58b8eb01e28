"""Whether a path, by its parts, is one that a pattern stands for."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence


def fits(names: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether the parts of a path are what the parts of a pattern stand for, `**` for any number of folders."""
    if not pattern or not names:
        return not pattern and not names
    if pattern[0] == "**":
        return fits(names, pattern[1:] or ["*"]) or fits(names[1:], pattern)
    return fnmatch.fnmatchcase(names[0], pattern[0]) and fits(names[1:], pattern[1:])
