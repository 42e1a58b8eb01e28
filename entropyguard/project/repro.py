"""Running DVC: the one place that has it do something, and ends it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from entropyguard.core.errors import DISK_FULL, OutputError, ProcessingError
from entropyguard.core.storage.files import read_json
from entropyguard.project.cache import remove_leftovers
from entropyguard.project.dvc_process import dvc_process
from entropyguard.project.full_disk import is_full
from entropyguard.project.project import Project
from entropyguard.project.requests import Request

_GRACE_SECONDS = 5
_KILLED = {code for signum in (signal.SIGKILL, signal.SIGABRT) for code in (-signum, 128 + signum)}


class StageError(Exception):
    """A stage ended the run: with what exit code, and what it said."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def dvc_environment(project: Project) -> dict[str, str]:
    """The environment DVC runs in: this interpreter first on PATH, nothing shared, nothing sent."""
    return {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "SHELL": "/bin/sh",
        "DVC_NO_ANALYTICS": "1",
        # The default is a world-writable folder shared by all users of the machine.
        "DVC_SITE_CACHE_DIR": str(project.paths.site_cache),
        "PYTHONUNBUFFERED": "1",  # of the stages
    }


def repro(project: Project, extra: dict[str, str], *, force: bool) -> None:
    """Run `dvc repro` in a checkpoint dir to its end; StageError when a stage failed."""
    _run(project, ["repro", *(["--force"] if force else [])], extra)


def commit(project: Project, stage: str) -> None:
    """Let DVC take the outputs that lie in a checkpoint dir for those that the stage wrote."""
    _run(project, ["commit", stage], {})


def _run(project: Project, arguments: list[str], extra: dict[str, str]) -> None:
    """Run a command of DVC in a checkpoint dir to its end.

    Raises StageError when a stage failed and ProcessingError when DVC itself did. However it ends, by
    Interrupted too, no process of the run is left.
    """
    log = project.paths.log
    project.paths.error.unlink(missing_ok=True)
    environment = {**dvc_environment(project), **extra, "ENTROPYGUARD_PARENT": str(os.getpid())}
    with log.open("wb") as output, open(os.devnull, "rb") as nothing:  # noqa: PTH123
        dvc = dvc_process()
        try:
            streams = [nothing.fileno(), output.fileno(), output.fileno()]
            dvc.ask(Request(arguments, str(project.root), environment, streams))
            code = dvc.wait()
        except BaseException:
            end_group(dvc.popen)
            remove_leftovers(project)
            raise
        end_group(dvc.popen)
    if code != 0:
        failure = _failure(project, log.read_text(encoding="utf-8", errors="replace"))
        remove_leftovers(project)
        raise failure


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End every process of DVC's session: ask first, then force; returns when they are gone."""
    for signum in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + _GRACE_SECONDS
        while time.monotonic() < deadline:
            process.poll()
            try:
                os.killpg(process.pid, signum)
            except ProcessLookupError:
                return
            time.sleep(0.02)


def _failure(project: Project, log: str) -> Exception:
    """What went wrong, from what the stage left, or from DVC's own words."""
    error = read_json(project.paths.error)
    if error:
        return StageError(error["message"], error["exit_code"])
    died = re.search(r"exited with (-?\d+)", log)
    running = read_json(project.paths.running)
    has_room = not is_full(project.paths.ours)
    if died and running and (has_room or int(died[1]) in _KILLED):
        return _death(running["stage"], int(died[1]), log)
    if not has_room or any(os.strerror(number) in log for number in DISK_FULL):
        return OutputError(f"{project.root}: the disk is full. Free some space and run again with --resume.")
    said = [line for line in log.splitlines() if line.startswith("ERROR")] or log.splitlines()[-3:]
    return ProcessingError("DVC could not run the pipeline: " + (" ".join(said) or "it said nothing"))


def _death(stage: str, code: int, log: str) -> StageError:
    """A stage's end without an `error.json`: by a signal (as a shell or as Python counts them), or on a full disk."""
    signum = code - 128 if code > 128 else -code
    if signum in (signal.SIGKILL, signal.SIGABRT):  # the kernel's way, and that of libraries written in Rust and C
        return StageError(
            f"{stage} was killed by {signal.Signals(signum).name}, as happens when memory runs out. "
            "Run again with --resume and a lower --max-memory; nothing finished is lost."
        )
    if signum in set(signal.Signals):
        return StageError(f"{stage} was ended by {signal.Signals(signum).name}. Run again with --resume to go on.")
    said = re.findall(r"^entropyguard: (.*)$", log, re.MULTILINE)
    if said:  # it could not be written down
        return StageError(said[0], code)
    return StageError(f"{stage} ended with exit code {code}. Run again with --verbose to see what it printed.")
