"""What the fault tests share: a clean build to start from, a run with a fault in it, and the one assertion.

The assertion for every fault: after `--resume` each output equals the clean build's byte for byte, and no stage
before the fault ran again.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from entropyguard.project.lock import forget_stage, load_lock
from entropyguard.project.pipeline import STAGES
from entropyguard.project.project import Project
from tests.conftest import TEXTS, Workspace, copy_all, stage_outputs

_PATIENCE_SECONDS = 30


@dataclass(frozen=True)
class Fault:
    """What goes wrong: in which stage, at which of its moments, to whom, and how.

    moment: import, start, written, renamed, recorded (in the stage), saving, committed, locking, locked (in DVC),
    publishing (in the command line). victim: stage, dvc, cli, group (DVC and the stage), all. action: a signal's
    name, wait, file size limit, memory limit, full disk.
    """

    stage: str
    moment: str
    victim: str = "stage"
    action: str = "SIGKILL"


@dataclass(frozen=True)
class Clean:
    """What an undisturbed build wrote."""

    folder: Path
    model: Path
    outputs: dict[str, bytes]
    output: bytes

    @classmethod
    def of(cls, built: Workspace) -> Clean:
        """What a run left that nothing disturbed."""
        return cls(built.folder, built.model, stage_outputs(built.checkpoints), built.output.read_bytes())


@dataclass(frozen=True)
class Finished:
    """A command that ended, and the stages that ran in it to their end."""

    code: int
    stderr: str
    ran: list[str]


def build_clean(folder: Path, model: Path) -> Clean:
    """Build `TEXTS` undisturbed in `folder`."""
    workspace = Workspace(folder, model)
    workspace.write_rows(TEXTS)
    ended = workspace.run()
    assert ended.code == 0, ended.stderr
    return Clean.of(workspace)


class Bench(Workspace):
    """A copy of a clean build, to do harm to."""

    def __init__(self, folder: Path, clean: Clean) -> None:
        super().__init__(folder, clean.model, {"FAULT_BENCH": str(folder)})
        self.clean = clean
        copy_all(clean.folder, folder)

    @property
    def mark(self) -> Path:
        """What a fault leaves when it happens."""
        return self.folder / "fault"

    def empty(self) -> None:
        """Go back to before the first run."""
        subprocess.run(["rm", "-rf", str(self.checkpoints)], check=True)
        self.output.unlink(missing_ok=True)

    def unbuild(self, *stages: str) -> None:
        """Take stages back to "never built"; what the others wrote stays."""
        for stage in stages:
            for name, md5 in load_lock(self.checkpoints / "dvc.lock")[stage].outs.items():
                (self.checkpoints / name).unlink(missing_ok=True)
                self.cached(md5).unlink(missing_ok=True)
            (self.checkpoints / ".entropyguard" / f"{stage}.json").unlink()
            forget_stage(self.checkpoints / "dvc.lock", stage)

    def cached(self, md5: str) -> Path:
        """DVC's copy of a checkpoint."""
        return self.checkpoints / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]

    def start(self, *arguments: str, fault: Fault | None = None) -> subprocess.Popen[str]:
        """Start the command line with --resume, and a fault if one is given."""
        environment = self.env()
        if fault is not None:
            self.mark.unlink(missing_ok=True)
            environment["FAULT"] = json.dumps({**vars(fault), "mark": str(self.mark)})
            path = [str(Path(__file__).parent / "inject"), environment.get("PYTHONPATH")]
            environment["PYTHONPATH"] = os.pathsep.join(filter(None, path))
        flags: list[str | Path] = ["--input", self.input, "--output", self.output, "--model-name", self.model]
        command = self.command(*flags, "--checkpoint-dir", self.checkpoints, "--resume", *arguments)
        return subprocess.Popen(
            command, cwd=self.folder, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        )

    def finish(self, process: subprocess.Popen[str]) -> tuple[int, str]:
        """Wait for a command's end: exit code and stderr."""
        _, stderr = process.communicate(timeout=2 * _PATIENCE_SECONDS)
        return process.returncode, stderr

    def resume(self, *arguments: str, fault: Fault | None = None) -> Finished:
        """Run the command line with --resume to its end."""
        before = self._records()
        code, stderr = self.finish(self.start(*arguments, fault=fault))
        if fault is not None:
            assert self.mark.exists(), f"{fault} did not happen: {stderr}"
        after = self._records()
        return Finished(code, stderr, [stage for stage in STAGES if after[stage] != before[stage]])

    def _records(self) -> dict[str, float | None]:
        project = Project(self.checkpoints)
        records = {stage: project.record(stage) for stage in STAGES}
        return {stage: None if record is None else record.finished_at for stage, record in records.items()}

    def await_mark(self) -> int:
        """Wait until the fault has happened; the process it happened in."""
        wait_until(lambda: self.mark.exists() and self.mark.read_text() != "", "the fault did not happen")
        return int(self.mark.read_text())

    def let_go(self) -> None:
        """Let a waiting process go on."""
        self.mark.with_suffix(".go").touch()

    def processes(self) -> dict[int, str]:
        """The living processes of this bench's runs, with their command lines."""
        token = f"FAULT_BENCH={self.folder}\0".encode()
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if token in (entry / "environ").read_bytes():
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:  # it has just ended
                continue
        return {pid: command for pid, command in found.items() if command}

    def assert_no_process_left(self) -> None:
        """Nothing of a killed run lives on. The kernel takes a moment to end what it was told to."""
        wait_until(lambda: not self.processes(), f"left alive: {self.processes()}")

    def assert_nothing_left(self) -> None:
        """No process, no lock that blocks, no temporary file."""
        self.assert_no_process_left()
        own = self.checkpoints / ".entropyguard"
        left = [path for path in self.folder.rglob("*") if path.name.endswith(".tmp") and path.parent.name != "site"]
        left += [*own.glob("tmp/*"), *own.glob("running.json"), *own.glob("progress.json")]
        left += [lock for lock in self.checkpoints.glob(".dvc/tmp/rwlock") if "pid" in lock.read_text()]
        assert not left, left

    def assert_survives(self, first: str, *arguments: str) -> Finished:
        """Resume: every output is the clean build's, and only `first` and stages after it ran."""
        ended = self.resume(*arguments)
        assert ended.code == 0, ended.stderr
        self.assert_clean()
        assert not set(STAGES[: STAGES.index(first)]) & set(ended.ran), ended.ran
        return ended

    def assert_clean(self) -> None:
        """Every output is the clean build's, byte for byte, and nothing else is left."""
        outputs = stage_outputs(self.checkpoints)
        other = [name for name, data in self.clean.outputs.items() if outputs.get(name) != data]
        assert not other, other
        assert self.output.read_bytes() == self.clean.output
        self.assert_nothing_left()


def wait_until(condition: object, failure: str, seconds: float = _PATIENCE_SECONDS) -> None:
    """Wait until a condition holds; AssertionError with `failure` when it does not come true."""
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, failure
        time.sleep(0.01)


def end(pid: int) -> None:
    """End a process that a fault left alive on purpose."""
    os.kill(pid, signal.SIGKILL)
