"""Running DVC: the one place that starts it, and ends it.

DVC runs in a process session of its own, so that the whole tree (DVC, shell, stage) can be ended together:
left to itself a killed DVC leaves its stage running.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from entropyguard.core.errors import ProcessingError
from entropyguard.core.files import read_json
from entropyguard.sidecars import FOLDER

_GRACE_SECONDS = 5
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class StageFailure(Exception):
    """A stage ended the run: which one, with what exit code, and what it said."""

    stage: str
    exit_code: int
    message: str


def dvc_environment(project: Path) -> dict[str, str]:
    """The environment DVC runs in: this interpreter first on PATH, nothing shared, nothing sent."""
    return {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "SHELL": "/bin/sh",
        "DVC_NO_ANALYTICS": "1",
        # The default is a world-writable folder shared by all users of the machine.
        "DVC_SITE_CACHE_DIR": str(project / ".dvc" / "site"),
        "PYTHONUNBUFFERED": "1",
    }


def repro(project: Path, extra: dict[str, str], *, force: bool) -> None:
    """Run `dvc repro` in a checkpoint dir to its end.

    Raises StageFailure when a stage failed and ProcessingError when DVC itself did. However it ends, by
    Interrupted too, no process of the run is left.
    """
    command = [sys.executable, "-m", "dvc", "--cd", str(project), "repro", "-q", "--no-run-cache"]
    log = project / FOLDER / "dvc.log"
    (project / FOLDER / "error.json").unlink(missing_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--force"] if force else command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**dvc_environment(project), **extra},
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
        try:
            code = process.wait()
        finally:
            end_group(process)
    if code != 0:
        raise _failure(project, log.read_text(encoding="utf-8", errors="replace"))


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


def _die_with_parent() -> None:
    """In the child, before exec: a killed command line takes DVC with it (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _failure(project: Path, log: str) -> Exception:
    """What went wrong, from what the stage left, or from DVC's own words."""
    error = read_json(project / FOLDER / "error.json")
    if error:
        return StageFailure(error["stage"], error["exit_code"], error["message"])
    died = re.search(r"exited with -?(\d+)", log)
    running = read_json(project / FOLDER / "running.json")
    if died and running:
        return StageFailure(running["stage"], 1, _death_message(running["stage"], int(died[1])))
    said = [line for line in log.splitlines() if line.startswith("ERROR")] or log.splitlines()[-3:]
    return ProcessingError("DVC could not run the pipeline: " + (" ".join(said) or "it said nothing"))


def _death_message(stage: str, code: int) -> str:
    signum = code - 128 if code > 128 else code
    if signum == signal.SIGKILL:
        return (
            f"{stage} was killed by SIGKILL, as the kernel does when memory runs out. "
            "Run again with --resume and a lower --max-memory; nothing finished is lost."
        )
    if signum in set(signal.Signals):
        return f"{stage} was ended by {signal.Signals(signum).name}. Run again with --resume to go on."
    return f"{stage} ended with exit code {code}. Run again with --verbose to see what it printed."


