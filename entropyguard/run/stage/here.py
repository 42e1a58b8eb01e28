"""A stage in this process: refuses another version of itself, owns the project meanwhile, ends with who started it, and
says why it failed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from entropyguard.core.errors import (
    DISK_FULL,
    PATH_REFUSED,
    BusyError,
    EntropyguardError,
    OutputError,
    ProcessingError,
    UsageError,
)
from entropyguard.core.no_pandas import leave_pandas_out
from entropyguard.core.storage.files import write_json
from entropyguard.core.visible import visible
from entropyguard.project.layout import script_name
from entropyguard.project.pipeline import STAGE_VERSIONS
from entropyguard.project.process import collect_rarely, die_with_parent, end_at_once
from entropyguard.project.project import Project
from entropyguard.run.memory import PeakMemory
from entropyguard.run.progress import file_progress, terminal_progress
from entropyguard.run.stage.project_run import ProjectRun
from entropyguard.run.stage_run import Counts


def run_here(name: str, version: int, work: Callable[[ProjectRun], Counts]) -> None:
    """Run a stage script's `work` in the current directory and exit with its exit code.

    A failure leaves `.entropyguard/error.json` (exit code and message), since DVC reports every failure alike.
    """
    die_with_parent()
    collect_rarely()
    leave_pandas_out()
    project = Project(Path.cwd())
    project.paths.ours.mkdir(exist_ok=True)
    try:
        _run(name, version, work, project)
    except Exception as problem:  # noqa: BLE001  the rim of the process: whatever it is, it ends as an exit code
        failure = as_failure(problem, name, unfinished(project.paths.temporary / name))
        if failure is None:
            traceback.print_exc()
        code = failure.exit_code if failure else 70
        message = str(failure) if failure else f"{name}: {type(problem).__name__}: {problem}"
        _leave_error(project.paths.error, {"stage": name, "exit_code": code, "message": message})
        sys.stderr.write(f"entropyguard: {visible(message)}\n")
        sys.exit(code)
    end_at_once(0)


def _run(name: str, version: int, work: Callable[[ProjectRun], Counts], project: Project) -> None:
    if version != STAGE_VERSIONS[name]:
        raise UsageError(
            f"{script_name(name)} is version {version}, the installed entropyguard's is {STAGE_VERSIONS[name]}. "
            "`entropyguard init --upgrade` brings the scripts up to date; the stage then runs again."
        )
    paths = project.paths
    with paths.stage_lock.open("a+") as lock:
        own_stage_lock(lock.fileno(), project.root)
        end_with_command_line(paths.build_lock)
        paths.error.unlink(missing_ok=True)
        write_json(paths.running, {"stage": name, "pid": os.getpid()})
        start = time.monotonic()
        under_cli = "ENTROPYGUARD_RUN" in os.environ
        show = file_progress(paths.progress, name) if under_cli else terminal_progress(name)
        with PeakMemory() as peak, show as progress:
            run = ProjectRun(name, project, progress)
            with contextlib.closing(run.pool):
                counts = work(run)
            run.finish(counts, time.monotonic() - start, peak.bytes())
        paths.running.unlink(missing_ok=True)


def own_stage_lock(descriptor: int, project: Path) -> None:
    """Hold the project's stage lock until the process ends; BusyError when another stage holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BusyError(f"A stage of another run is still at work in {project}. Wait for it, or end it.") from error


def end_with_command_line(lock: Path) -> None:
    """Let this process end when the command line that started it does, or now if it is gone already.

    The kernel frees the command line's `lock` however it dies. `die_with_parent` alone does not reach a stage:
    its parent is the shell that DVC starts, and the shell lives on when DVC is killed.
    """
    owner = os.environ.get("ENTROPYGUARD_PARENT")
    if owner is None:
        return
    if lock.read_text(encoding="utf-8") != owner:
        sys.exit("entropyguard: the run that started this stage is gone, and another one has taken its place.")

    def wait() -> None:
        with lock.open() as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_SH)
            os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


def unfinished(folder: Path) -> str:
    """The outputs that a stage had begun to write, as they are called in the project."""
    return ", ".join(sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()))


def as_failure(problem: Exception, stage: str, begun: str) -> EntropyguardError | None:
    """The error as one of ours; None for a bug. `begun`: the outputs that were being written."""
    if isinstance(problem, EntropyguardError):
        return problem
    if isinstance(problem, MemoryError):
        return ProcessingError(
            f"{stage} ran out of memory. Resume with a lower --max-memory; nothing finished is lost."
        )
    if isinstance(problem, OSError) and problem.errno in DISK_FULL:
        what = f"; {begun} did not fit" if begun else ""
        return OutputError(f"{stage}: the disk is full ({problem.strerror}){what}. Free some space and resume.")
    if isinstance(problem, OSError) and problem.errno in PATH_REFUSED:
        return OutputError(f"{stage}: {problem.filename} cannot be written or read ({problem.strerror}).")
    return None


def _leave_error(path: Path, content: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):  # on a full disk the message still reaches stderr, from where it is taken
        write_json(path, content)
