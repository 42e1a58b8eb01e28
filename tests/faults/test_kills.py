"""SIGKILL of the stage, of DVC, of the command line, of all: at each moment of a stage, and between stages."""

from __future__ import annotations

import pytest

from entropyguard.project.lock import load_lock
from entropyguard.project.pipeline import STAGES
from tests.faults.harness import Bench, Fault, end

pytestmark = pytest.mark.pipeline

KILLS = [
    Fault("ingest", "start", "cli"),
    Fault("exact_dedup", "saving", "group"),
    Fault("near_dedup", "written", "all"),
    Fault("embed", "written", "dvc"),
    Fault("similar_pairs", "recorded", "all"),
    Fault("semantic_dedup", "renamed", "cli"),
    Fault("export", "committed", "dvc"),
]
"""Each moment and each victim once; `make soak` has them all, at random moments."""


@pytest.mark.parametrize("fault", KILLS, ids=lambda fault: f"{fault.stage}-{fault.moment}-{fault.victim}")
def test_a_run_that_was_killed_goes_on_where_it_stopped(fault: Fault, bench: Bench) -> None:
    bench.unbuild(fault.stage)
    ended = bench.resume(fault=fault)
    assert ended.code != 0
    bench.assert_no_process_left()
    bench.assert_survives(fault.stage)


@pytest.mark.parametrize("moment", ["locking", "locked"])
def test_a_kill_while_dvc_writes_its_lock_costs_only_the_stage_that_was_written(moment: str, bench: Bench) -> None:
    bench.empty()
    assert bench.resume(fault=Fault("embed", moment, "all")).code != 0
    assert list(load_lock(bench.checkpoints / "dvc.lock")) == list(STAGES[: STAGES.index("embed")])
    ended = bench.assert_survives("embed")
    assert ended.ran == list(STAGES[STAGES.index("embed") :])


def test_a_kill_while_publishing_keeps_the_old_output_and_leaves_nothing_for_ever(bench: Bench) -> None:
    bench.output.write_text("the old output\n")
    assert bench.resume(fault=Fault("", "publishing", "cli")).code != 0
    assert bench.output.read_text() == "the old output\n"
    assert bench.assert_survives("export").ran == []


def test_a_stage_that_outlives_its_run_keeps_others_out_and_they_say_so(bench: Bench) -> None:
    bench.unbuild("embed")
    orphaned = bench.start(fault=Fault("embed", "start", "cli", "wait"))
    stage = bench.await_mark()
    bench.finish(orphaned)
    ended = bench.resume()
    assert ended.code == 1
    assert "A stage of a killed run is still at work" in ended.stderr
    end(stage)
    bench.assert_survives("embed")


def test_a_stage_that_wakes_up_after_its_run_was_replaced_touches_nothing(bench: Bench) -> None:
    bench.unbuild("embed")
    orphaned = bench.start(fault=Fault("embed", "import", "cli", "wait"))
    bench.await_mark()
    orphaned.kill()
    bench.finish(orphaned)
    ended = bench.resume()
    assert ended.code == 0, ended.stderr
    record = (bench.checkpoints / ".entropyguard" / "embed.json").read_bytes()
    bench.let_go()
    bench.assert_clean()
    assert (bench.checkpoints / ".entropyguard" / "embed.json").read_bytes() == record
