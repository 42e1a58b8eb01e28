"""The input or the parameters change while a run reads them."""

from __future__ import annotations

import json
import os
import signal

import pytest

from entropyguard.project.lock import load_lock
from entropyguard.project.pipeline import STAGES
from tests.conftest import TEXTS
from tests.faults.harness import Bench, Fault, wait_until

pytestmark = pytest.mark.pipeline


@pytest.mark.parametrize("stage", ["ingest", "embed"])
def test_an_input_that_changes_during_a_run_fails_it_and_is_named(stage: str, bench: Bench) -> None:
    bench.unbuild(stage)
    bench.output.unlink()
    running = bench.start(fault=Fault(stage, "written", action="wait"))
    bench.await_mark()
    bench.write_rows(TEXTS[:5])
    bench.let_go()
    code, stderr = bench.finish(running)
    assert code == 65
    # ingest itself notices it; after a later stage it is the command line that looks.
    noticed = "000000.jsonl changed while ingest was reading it." if stage == "ingest" else "data.jsonl changed during"
    assert noticed in stderr
    assert not bench.output.exists()
    assert "ingest" not in load_lock(bench.checkpoints / "dvc.lock")
    ended = bench.resume()
    assert ended.code == 0, ended.stderr
    assert [row["id"] for row in bench.kept()] == [0, 3, 4]


@pytest.mark.parametrize("stage", ["ingest", "embed"])
def test_an_input_that_is_touched_during_a_run_does_not_end_it(stage: str, bench: Bench) -> None:
    bench.unbuild(stage)
    running = bench.start(fault=Fault(stage, "written", action="wait"))
    bench.await_mark()
    os.utime(bench.input, (1, 1))
    os.utime(bench.checkpoints / "params.yaml", (1, 1))
    bench.let_go()
    code, stderr = bench.finish(running)
    assert code == 0, stderr
    bench.assert_clean()


def test_an_input_that_is_touched_after_a_kill_is_not_read_again(bench: Bench) -> None:
    (bench.checkpoints / ".entropyguard" / "inputs.json").unlink()
    os.utime(bench.input, (1, 1))
    bench.assert_survives("export")


@pytest.mark.parametrize("lost", ["dvc.lock", "ingest.json", "inputs.json", "checkpoint_metadata.json", "params.yaml"])
def test_whatever_a_kill_left_unwritten_another_input_goes_on(lost: str, bench: Bench) -> None:
    own = bench.checkpoints / ".entropyguard"
    for stage in STAGES[1:]:
        bench.unbuild(stage)
    (bench.checkpoints / "dvc.lock").unlink()  # DVC writes it after the stage's end
    for path in (bench.checkpoints / lost, own / lost):
        path.unlink(missing_ok=True)
    bench.write_rows(TEXTS[:5])
    ended = bench.resume()
    assert ended.code == 0, ended.stderr
    assert [row["id"] for row in bench.kept()] == [0, 3, 4]


def test_an_input_that_changes_before_dvc_hashes_it_is_not_taken_for_the_one_that_was_read(bench: Bench) -> None:
    bench.unbuild("ingest")
    running = bench.start(fault=Fault("ingest", "saving", action="wait"))
    bench.await_mark()
    bench.write_rows(TEXTS[:5])
    # Stopped, then killed, the command line does not see that DVC recorded the new input beside the old rows.
    running.send_signal(signal.SIGSTOP)
    bench.let_go()
    wait_until(lambda: "ingest" in load_lock(bench.checkpoints / "dvc.lock"), "DVC did not record ingest")
    running.kill()
    bench.finish(running)
    bench.assert_no_process_left()
    ended = bench.resume()
    assert ended.code == 0, ended.stderr
    assert [row["id"] for row in bench.kept()] == [0, 3, 4]


def test_an_input_that_changes_after_a_run_that_recorded_nothing_is_read_again(bench: Bench) -> None:
    (bench.checkpoints / "dvc.lock").unlink()
    (bench.checkpoints / ".entropyguard" / "inputs.json").unlink()
    bench.write_rows(TEXTS[:5])
    ended = bench.resume()
    assert ended.code == 0, ended.stderr
    assert [row["id"] for row in bench.kept()] == [0, 3, 4]


def test_parameters_that_change_during_a_run_fail_it_and_are_named(bench: Bench) -> None:
    bench.unbuild("semantic_dedup")
    running = bench.start(fault=Fault("semantic_dedup", "written", action="wait"))
    bench.await_mark()
    params = bench.checkpoints / "params.yaml"
    params.write_text(params.read_text().replace("dedup_threshold: 0.95", "dedup_threshold: 0.5"))
    bench.let_go()
    code, stderr = bench.finish(running)
    assert code != 0
    assert "params.yaml changed" in stderr
    assert "semantic_dedup" not in load_lock(bench.checkpoints / "dvc.lock")
    bench.assert_survives("semantic_dedup")


def test_going_back_after_a_kill_in_a_changed_run_gives_the_first_result(bench: Bench) -> None:
    fault = Fault("export", "written", "all")
    assert bench.resume("--dedup-threshold", "0.99", fault=fault).code != 0
    bench.assert_no_process_left()
    bench.assert_survives("semantic_dedup")
    metadata = json.loads((bench.checkpoints / "checkpoint_metadata.json").read_text())
    assert metadata["checkpoints"]["after_semantic_dedup"]["row_count"] == 7
