"""How library code lets the outside know how far it is, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int | None], None]
"""Called with (done so far, total or None), in the stage's own unit: rows, or blocks of a search."""


def first_half(progress: Progress) -> Progress:
    """For the first of two passes over the same rows: what is to be told of it."""
    return lambda done, rows: progress(done // 2, rows)


def second_half(progress: Progress) -> Progress:
    """For the second one."""
    return lambda done, rows: progress((done + (rows or 0)) // 2, rows)


def silent(done: int, total: int | None) -> None:
    """The listener that does not listen."""
