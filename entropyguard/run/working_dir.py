"""Where a run works: the checkpoint dir or a private one, and there what was given without a file."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from entropyguard.project.project import Project
from entropyguard.run.publish import whole_file
from entropyguard.run.request import DATA, STDIN, Request


@contextmanager
def working_dir(request: Request) -> Iterator[Project]:
    """The checkpoint dir, or a private one that goes with a success, and stays with a failure that says where it is."""
    if request.checkpoint_dir is not None:
        yield Project(request.checkpoint_dir.resolve())
        return
    project = Project(Path(tempfile.mkdtemp(prefix="entropyguard-")))
    try:
        yield project
    except BaseException as problem:
        folder = project.root
        if project.reread().lock:
            problem.add_note(
                f"What was finished is kept in {folder}; add --checkpoint-dir {folder} --resume to go on from it."
            )
        else:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(project.root)


def spool(project: Project, request: Request) -> Path:
    """Standard input, or data in memory, as a file: DVC can take nothing else as a dependency."""
    if request.spool is not None:
        return request.spool(project.paths.ours)
    spooled = project.paths.stdin
    with whole_file(spooled, "--checkpoint-dir") as temporary, temporary.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file, 16 << 20)
    return spooled


def spooled_name(request: Request) -> str:
    """What its input is called."""
    return STDIN if request.spool is None else DATA
