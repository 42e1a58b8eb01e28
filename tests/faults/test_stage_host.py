"""The host of a run: its stages run in it, it is gone when the run is, and whoever is killed, nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from entropyguard.project.beside import BESIDE
from tests.faults.harness import Bench, Fault, end

pytestmark = pytest.mark.pipeline


def _embed_at_work(bench: Bench) -> tuple[subprocess.Popen[str], int, int, int]:
    """A run that waits within embed: the command line, the script's process, the host, and the one that works."""
    bench.unbuild("embed")
    running = bench.start(fault=Fault("embed", "written", action="wait"))
    work = bench.await_mark()
    processes = bench.processes()
    script = next(pid for pid, command in processes.items() if command.rstrip().endswith("stages/embed.py"))
    assert script != work
    host = next(pid for pid, command in processes.items() if "-m entropyguard.run.stage " in command and pid != work)
    return running, script, host, work


def test_the_work_of_a_stage_ends_when_its_script_is_killed(bench: Bench) -> None:
    running, script, _, _ = _embed_at_work(bench)
    end(script)
    code, stderr = bench.finish(running)
    assert code == 1
    assert "embed was killed by SIGKILL" in stderr
    bench.assert_nothing_left()
    assert bench.assert_survives("embed").ran == ["embed"]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_a_script_ends_as_its_work_was_ended(signum: signal.Signals, bench: Bench) -> None:
    running, _, _, work = _embed_at_work(bench)
    os.kill(work, signum)
    code, stderr = bench.finish(running)
    assert code == 1
    assert f"ed by {signum.name}" in stderr
    bench.assert_nothing_left()
    bench.assert_survives("embed")


def test_a_host_that_is_killed_ends_the_stage_and_the_run(bench: Bench) -> None:
    running, _, host, _ = _embed_at_work(bench)
    end(host)
    code, stderr = bench.finish(running)
    assert code == 1
    assert "embed was killed by SIGKILL" in stderr
    bench.assert_nothing_left()
    bench.assert_survives("embed")


def test_the_host_is_gone_after_a_run(bench: Bench) -> None:
    bench.empty()
    assert bench.resume().code == 0
    assert not bench.processes()
    bench.assert_clean()


def test_a_script_by_itself_needs_no_host(bench: Bench) -> None:
    bench.unbuild("similar_pairs")
    environment = {name: value for name, value in bench.env().items() if name != BESIDE}
    command = [sys.executable, "stages/similar_pairs.py"]
    subprocess.run(command, cwd=bench.checkpoints, env=environment, check=True, capture_output=True)
    assert (bench.checkpoints / "similar_pairs.parquet").read_bytes() == bench.clean.outputs["similar_pairs.parquet"]
