"""Python loads this at the start of every process whose PYTHONPATH names this folder: it brings a fault about.

The variable FAULT holds a `tests.faults.harness.Fault` as JSON. The product has no hooks: what is to fail is
wrapped here, in the one process that it concerns. A fault happens once, and leaves its process id in `mark`.
"""

from __future__ import annotations

import errno
import io
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_PATIENCE_SECONDS = 60
ADDRESS, HOST = "ENTROPYGUARD_HOST", "entropyguard.run.stage"


class _Fault:
    def __init__(self, stage: str, moment: str, victim: str, action: str, mark: str) -> None:
        self.stage = stage
        self.moment = moment
        self.victim = victim
        self.action = action
        self.mark = Path(mark)

    def happen(self) -> None:
        if self.mark.exists():
            return
        self.mark.write_text(str(os.getpid()))
        if self.action == "wait":
            self._wait_for(self.mark.with_suffix(".go"))
        elif self.action == "file size limit":
            resource.setrlimit(resource.RLIMIT_FSIZE, (600, resource.RLIM_INFINITY))
        elif self.action == "full disk":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        elif self.action == "memory limit":
            resource.setrlimit(resource.RLIMIT_AS, (8 << 30, resource.RLIM_INFINITY))
            bytearray(16 << 30)
        else:
            self._signal(signal.Signals[self.action])
            self._wait_for(self.mark.with_suffix(".never"))

    def _signal(self, signum: signal.Signals) -> None:
        stage, dvc = os.getpid(), os.getsid(0)  # DVC leads the session of a run
        command_line = int(os.environ["ENTROPYGUARD_PARENT"]) if "ENTROPYGUARD_PARENT" in os.environ else os.getpid()
        for pid in {"stage": [stage], "dvc": [dvc], "cli": [command_line], "all": [command_line, dvc, stage]}.get(
            self.victim, []
        ):
            os.kill(pid, signum)
        if self.victim == "group":
            os.killpg(os.getpgrp(), signum)

    @staticmethod
    def _wait_for(path: Path) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.01)


def _before(owner: Any, name: str, fault: _Fault, when: Callable[..., bool] = lambda *_: True) -> None:
    original = getattr(owner, name)

    def wrapped(*arguments: Any, **named: Any) -> Any:
        if when(*arguments):
            fault.happen()
        return original(*arguments, **named)

    setattr(owner, name, wrapped)


def _after(owner: Any, name: str, then: Callable[..., None]) -> None:
    original = getattr(owner, name)

    def wrapped(*arguments: Any, **named: Any) -> Any:
        result = original(*arguments, **named)
        then(*arguments)
        return result

    setattr(owner, name, wrapped)


def _in_stage(fault: _Fault) -> None:
    from entropyguard.run.stage import here
    from entropyguard.run.stage import project_run as runtime

    if fault.action == "wait" and fault.victim == "cli":  # a stage that outlives its command line
        parent = int(os.environ["ENTROPYGUARD_PARENT"])
        setattr(here, "die_with_parent", lambda: os.kill(parent, signal.SIGKILL))  # noqa: B010  mypy sees no such name
        setattr(here, "end_with_command_line", lambda _: None)  # noqa: B010
    if fault.moment == "start":
        _after(runtime.ProjectRun, "__init__", lambda *_: fault.happen())
    elif fault.moment == "written":
        _before(runtime.ProjectRun, "finish", fault)
    elif fault.moment == "renamed":
        _before(runtime, "write_record", fault)
    elif fault.moment == "recorded":
        _after(runtime.ProjectRun, "finish", lambda *_: fault.happen())


def _in_host(fault: _Fault) -> None:
    """A host's child becomes the script, and the fault is to happen there."""
    from entropyguard.run.stage import host

    run = getattr(host, "run_as_script")  # noqa: B009  mypy sees no such name

    def faulty(request: Any) -> Any:
        if request.arguments[-1] == f"stages/{fault.stage}.py":
            _in_stage(fault)
        return run(request)

    setattr(host, "run_as_script", faulty)  # noqa: B010  mypy sees that it returns
    if fault.action == "wait" and fault.victim == "cli":
        setattr(host, "die_with_parent", lambda: None)  # noqa: B010  mypy sees no such name
        setattr(host.StageHost, "_end_all", lambda _: None)  # noqa: B010


def _in_dvc(fault: _Fault) -> None:
    def of_stage(stage: Any, *_: Any) -> bool:
        return bool(stage.name == fault.stage)

    if fault.moment == "saving":
        from dvc.stage import Stage

        _before(Stage, "save", fault, of_stage)
    elif fault.moment == "committed":
        from dvc.stage import Stage

        _after(Stage, "commit", lambda stage, *_: fault.happen() if of_stage(stage) else None)
    elif fault.moment in {"locking", "locked"}:
        from dvc.dvcfile import Lockfile

        _before(Lockfile, "dump_stages", fault, lambda _, stages: of_stage(stages[0]) and _in_lock_write(fault))


def _in_lock_write(fault: _Fault) -> bool:
    """Let the fault happen in the next write of `dvc.lock`: amid it, or before it is put in place; False: not yet."""
    from dvc.utils.serialize import _yaml

    from entropyguard.core.storage import files

    dump = _yaml._dump

    def dump_half(data: Any, stream: Any) -> None:
        whole = io.StringIO()
        dump(data, whole)
        stream.write(whole.getvalue()[: whole.tell() * 2 // 3])
        stream.flush()
        fault.happen()

    if fault.moment == "locking":
        _yaml._dump = dump_half
    else:
        _before(files, "sync_file", fault)
    return False


def _in_command_line(fault: _Fault) -> None:
    if fault.moment == "publishing":
        from entropyguard.run import publish

        _before(publish, "sync_file", fault)


def _install(fault: _Fault) -> None:
    command = sys.orig_argv
    if command[-1] == f"stages/{fault.stage}.py":
        if fault.moment == "import":  # of the script's own process; another one may do its work
            fault.happen()
        elif ADDRESS not in os.environ:
            _in_stage(fault)
    elif HOST in command:
        _in_host(fault)
    elif "entropyguard.project.process" in command:
        _in_dvc(fault)
    elif "entropyguard" in command:
        _in_command_line(fault)


if "FAULT" in os.environ:
    _install(_Fault(**json.loads(os.environ["FAULT"])))
