"""One line that says how far a run is: rewritten on a terminal, a new one every half minute elsewhere."""

from __future__ import annotations

import math
import os
import shutil
import sys
import time

from entropyguard.run.time_left import Rate

_LINE_EVERY = 30.0
_MINUTE = 60.0

SHARES = ("similar_pairs",)
"""Stages that count blocks of a search: only the share of them means anything to people."""


_LONGEST = "less than 1 min left"


def progress_text(stage: str, place: str, rate: Rate, now: float, seconds_left: float | None, width: int) -> str:
    """The line, at most `width` long: what says least is left out first.

    place: which stage of how many, or nothing. seconds_left: None where nobody knows.
    """
    head, share, per_second = f"{place}{stage}", rate.share(), rate.per_second(now)
    percent = "" if share is None else f"{math.floor(100 * share)} %"
    speed = f"{per_second:,.0f} rows/s" if per_second and stage not in SHARES else ""
    of = f" of {rate.total:,}" if rate.total else ""
    counts = f"{rate.done:,}{of} rows" if rate.done and stage not in SHARES else percent
    # Chosen with all of its digits and the longest words: else the line would change its form as they come.
    most = f"{rate.total or rate.done:,}{of} rows" if counts != percent else percent
    widest = _forms(head, most, percent and "100 %", speed, _LONGEST)
    for line, longest in zip(_forms(head, counts, percent, speed, time_left_text(seconds_left)), widest, strict=True):
        if len(longest) <= width:
            return line
    return head[:width]


def _forms(head: str, counts: str, percent: str, speed: str, left: str) -> list[str]:
    """The line in full, then with less and less."""
    forms = [head, counts, speed, left], [head, percent, speed, left], [head, percent, left], [head, left], [head]
    return [", ".join(filter(None, form)) for form in forms]


def time_left_text(seconds: float | None) -> str:
    """The time left as people say it: no more exact than it is known."""
    if seconds is None:
        return ""
    if seconds < 0.75 * _MINUTE:
        return _LONGEST
    minutes = seconds / _MINUTE
    if minutes < 57.5:
        step = 1 if minutes < 9.5 else 5
        return f"about {max(round(minutes / step), 1) * step} min left"
    hours = round(minutes / 30) / 2
    if hours < 10:
        return f"about {hours:g} h left"
    return f"about {hours:.0f} h left" if hours < 48 else f"about {hours / 24:.0f} days left"


class Line:
    """The line on stderr, where it is a terminal that can rewrite one; plain lines elsewhere."""

    def __init__(self) -> None:
        self._rewritten = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._shown = ""
        self._written = time.monotonic()

    @property
    def width(self) -> int:
        """What fits on it. The last column stays free: some terminals begin a new line there."""
        return shutil.get_terminal_size().columns - 1 if self._rewritten else 200

    def show(self, text: str) -> None:
        """Say it, if it is time to."""
        if self._rewritten:
            self._rewrite(text)
        elif time.monotonic() - self._written >= _LINE_EVERY:
            self._written = time.monotonic()
            sys.stderr.write(text + "\n")
            sys.stderr.flush()

    def clear(self) -> None:
        """Leave nothing of it on a terminal."""
        if self._rewritten:
            self._rewrite("")

    def _rewrite(self, text: str) -> None:
        if text != self._shown:
            self._shown = text
            sys.stderr.write(f"\r{text}\x1b[K")
            sys.stderr.flush()
