"""How library code lets the outside know how far it is, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int | None], None]
"""Called with (done so far, total or None), in the stage's own unit: rows, or blocks of a search."""


def silent(done: int, total: int | None) -> None:
    """The listener that does not listen."""
