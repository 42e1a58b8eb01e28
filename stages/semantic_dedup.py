"""semantic_dedup: drop each row that is at or above the threshold to a row kept before it."""

from __future__ import annotations

from entropyguard.run.stage import run_stage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from entropyguard.run.stage import Counts, StageRun

STAGE_VERSION = 4


def work(run: StageRun) -> Counts:
    from entropyguard.core.semantic.semantic import drop_semantic_duplicates

    counts = drop_semantic_duplicates(
        run.checkpoint("after_near_dedup.parquet"),
        run.checkpoint("similar_pairs.parquet"),
        run.output("after_semantic_dedup.parquet"),
        run.output("dropped/semantic.parquet"),
        run.params.semantic,
        run.params.keep,
        run.max_memory,
        run.progress,
        run.pool,
    )
    return {"kept": counts.kept, "semantic": counts.dropped}


if __name__ == "__main__":
    run_stage("semantic_dedup", STAGE_VERSION, work)
