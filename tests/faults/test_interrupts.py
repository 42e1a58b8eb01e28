"""Ctrl-C, SIGTERM, a second process, a reader of stdout that goes away."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.faults.harness import Bench, Fault, end, wait_until

pytestmark = pytest.mark.pipeline


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"])
def test_an_interrupted_run_leaves_no_process_no_lock_and_no_temporary_file(
    signum: signal.Signals, code: int, bench: Bench
) -> None:
    bench.unbuild("embed")
    running = bench.start(fault=Fault("embed", "written", action="wait"))
    bench.await_mark()
    running.send_signal(signum)
    ended, stderr = bench.finish(running)
    assert ended == code
    assert f"interrupted by {signum.name}" in stderr
    assert "Traceback" not in stderr
    bench.assert_nothing_left()
    bench.assert_survives("embed")


def test_a_second_process_is_told_at_once_and_disturbs_nothing(bench: Bench) -> None:
    bench.unbuild("embed")
    first = bench.start(fault=Fault("embed", "written", action="wait"))
    bench.await_mark()
    second = bench.resume()
    assert second.code == 1
    assert "Another entropyguard is at work in" in second.stderr
    bench.let_go()
    code, stderr = bench.finish(first)
    assert code == 0, stderr
    bench.assert_clean()


def test_a_reader_of_stdout_that_goes_away_ends_the_run_with_one_line(bench: Bench) -> None:
    bench.write_rows([f"{number} {word}" for number in range(300) for word in ("cat", "river", "night")] * 8)
    flags: list[str | Path] = ["--input", bench.input, "--output", "-", "--model-name", bench.model]
    with subprocess.Popen(
        bench.command(*flags, "--checkpoint-dir", bench.checkpoints, "--resume"),
        env=bench.env(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        stderr = process.stderr.read().decode()
    assert process.returncode == 66
    assert "stdout was closed" in stderr
    assert "Traceback" not in stderr
    bench.assert_nothing_left()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGKILL])
def test_what_was_started_ahead_ends_with_the_command_line(signum: signal.Signals, bench: Bench) -> None:
    """DVC and the stage host are there before the flags are read."""
    bench.empty()
    running = bench.start()
    wait_until(lambda: any("project.process" in command for command in bench.processes().values()), "no DVC came up")
    running.send_signal(signum)
    code, stderr = bench.finish(running)
    assert code == (130 if signum == signal.SIGINT else -signum), stderr
    assert "Traceback" not in stderr
    bench.assert_no_process_left()
    assert bench.resume().code == 0
    bench.assert_clean()


def test_wrong_use_ends_what_was_started_ahead(bench: Bench) -> None:
    code, stderr = bench.finish(bench.start("--dedup-threshold", "7"))
    assert code == 2, stderr
    bench.assert_nothing_left()


def test_a_dvc_that_is_killed_before_it_is_asked_for_anything_fails_the_run(bench: Bench) -> None:
    bench.unbuild("embed")
    running = bench.start()
    wait_until(lambda: any("project.process" in command for command in bench.processes().values()), "no DVC came up")
    end(next(pid for pid, command in bench.processes().items() if "project.process" in command))
    code, stderr = bench.finish(running)
    assert code == 1
    assert "DVC could not run the pipeline" in stderr
    bench.assert_nothing_left()
    bench.assert_survives("embed")
