"""Progress on stderr: a bar with speed and time left on a terminal, plain lines elsewhere.

Under the command line a stage only notes how far it is in a small file; the command line draws it.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from entropyguard.core import progress as core_progress
from entropyguard.core.storage.files import read_json, write_json

Show = Callable[[str, int, int | None], None]
"""Told of a stage, how far it is, and how far it has to go."""

_NOTE_EVERY = 0.2
_LINE_EVERY = 30.0


@contextmanager
def file_progress(path: Path, stage: str) -> Iterator[core_progress.Progress]:
    """A listener that notes the progress in `path`, for whoever watches the run."""
    last = 0.0

    def note(done: int, total: int | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _NOTE_EVERY:
            last = now
            write_json(path, {"stage": stage, "done": done, "total": total}, durable=False)

    yield note
    path.unlink(missing_ok=True)


@contextmanager
def terminal_progress(stage: str) -> Iterator[core_progress.Progress]:
    """A listener that shows the progress of one stage on stderr."""
    with _shown() as show:

        def listen(done: int, total: int | None) -> None:
            show(stage, done, total)

        yield listen


@contextmanager
def watched_progress(path: Path, *, quiet: bool) -> Iterator[None]:
    """While inside: show on stderr what stages note in `path` (`file_progress`)."""
    if quiet:
        yield
        return
    stop = threading.Event()

    def watch() -> None:
        with _shown() as show:
            while not stop.wait(_NOTE_EVERY):
                note = read_json(path)
                if note:
                    show(note["stage"], note["done"], note["total"])

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def _shown() -> Iterator[Show]:
    if not sys.stderr.isatty():
        yield _PlainLines()
        return
    with _bar() as show:
        yield show


@contextmanager
def _bar() -> Iterator[Show]:
    """One bar at a time, for the stage that is at work, with speed and time left."""
    from rich.console import Console  # only for a terminal
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:,.0f}/s" if task.speed else "", style="progress.data.speed")

    columns = (TextColumn("{task.description:<15}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        shown, task = "", bar.add_task("", visible=False)

        def show(stage: str, done: int, total: int | None) -> None:
            nonlocal shown, task
            if stage != shown:
                bar.remove_task(task)
                shown, task = stage, bar.add_task(stage)
            bar.update(task, completed=done, total=total)

        yield show


class _PlainLines:
    """A line every half minute: enough for a log, and nothing for a short run."""

    def __init__(self) -> None:
        self._started = self._last = time.monotonic()
        self._stage = ""
        self._first = 0

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._started, self._first = stage, now, done
        if now - self._last < _LINE_EVERY:
            return
        self._last = now
        rate = (done - self._first) / max(now - self._started, 1e-9)
        left = f", {(total - done) / rate / 60:,.0f} min left" if total and rate > 0 else ""
        of = f" of {total:,}" if total else ""
        sys.stderr.write(f"{stage}: {done:,}{of} ({rate:,.0f}/s{left})\n")
