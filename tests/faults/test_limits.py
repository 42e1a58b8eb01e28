"""Memory and disk that run out."""

from __future__ import annotations

import pytest

from tests.faults.harness import Bench, Fault

pytestmark = pytest.mark.pipeline


def test_a_stage_that_the_kernel_killed_is_named_with_the_signal_and_the_way_on(bench: Bench) -> None:
    bench.unbuild("similar_pairs")
    ended = bench.resume(fault=Fault("similar_pairs", "start"))
    assert ended.code == 1
    assert "similar_pairs was killed by SIGKILL, as happens when memory runs out." in ended.stderr
    assert "--max-memory" in ended.stderr
    assert bench.assert_survives("similar_pairs", "--max-memory", "300MB").ran == ["similar_pairs"]


def test_memory_that_runs_out_under_a_limit_is_told_the_same_way(bench: Bench) -> None:
    bench.unbuild("semantic_dedup")
    ended = bench.resume(fault=Fault("semantic_dedup", "start", action="memory limit"))
    assert ended.code == 1
    assert "semantic_dedup ran out of memory. Resume with a lower --max-memory" in ended.stderr
    bench.assert_survives("semantic_dedup", "--max-memory", "300MB")


@pytest.mark.parametrize("stage", ["embed", "export"])
def test_a_stage_on_a_full_disk_says_so_and_keeps_the_old_output(stage: str, bench: Bench) -> None:
    bench.unbuild(stage)
    bench.output.write_text("the old output\n")
    ended = bench.resume(fault=Fault(stage, "start", action="file size limit"))
    assert ended.code == 66, ended.stderr
    assert "the disk is full" in ended.stderr
    assert "did not fit" in ended.stderr
    assert "error.json" not in ended.stderr
    assert bench.output.read_text() == "the old output\n"
    bench.assert_nothing_left()
    bench.assert_survives(stage)


def test_an_output_on_a_full_disk_keeps_the_old_file(bench: Bench) -> None:
    bench.output.write_text("the old output\n")
    ended = bench.resume(fault=Fault("", "publishing", "cli", action="full disk"))
    assert ended.code == 66, ended.stderr
    assert "what was there before stays" in ended.stderr
    assert bench.output.read_text() == "the old output\n"
    bench.assert_nothing_left()
    assert bench.assert_survives("export").ran == []
