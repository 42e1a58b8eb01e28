"""Progress on stderr: one line for the whole run (`progress_line`), with the time that is left (`time_left`).

Under the command line a stage only notes how far it is in a small file; the command line shows it. Of a stage that
plain `dvc repro` runs, nobody knows more than the stage itself: the line is about that one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from entropyguard.core import progress as core_progress
from entropyguard.core.storage.files import write_json
from entropyguard.run.progress_line import Line, progress_text
from entropyguard.run.time_left import Rate
from entropyguard.run.watch_run import RunWatch

_NOTE_EVERY = 0.2


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
    line, last = Line(), 0.0
    rate = Rate(time.monotonic())

    def listen(done: int, total: int | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _NOTE_EVERY:
            last = now
            rate.hear(done, total, now)
            line.show(progress_text(stage, "", rate, now, rate.lone_seconds_left(now), line.width))

    try:
        yield listen
    finally:
        line.clear()


@contextmanager
def watched_progress(watch: RunWatch, *, quiet: bool) -> Iterator[None]:
    """While inside: show on stderr how far the run is."""
    if quiet:
        yield
        return
    stop = threading.Event()

    def look() -> None:
        line = Line()
        while not stop.wait(_NOTE_EVERY):
            text = watch.look(time.monotonic(), line.width)
            if text:
                line.show(text)
        line.clear()

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
