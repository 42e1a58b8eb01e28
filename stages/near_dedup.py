"""near_dedup: drop each row that has almost the words of a row kept before it, and none in the place of another."""

from __future__ import annotations

from entropyguard.run.stage import run_stage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from entropyguard.run.stage import Counts, StageRun

STAGE_VERSION = 1


def work(run: StageRun) -> Counts:
    from entropyguard.core.near.near_dedup import drop_near_duplicates

    counts = drop_near_duplicates(
        run.checkpoint("after_exact_dedup.parquet"),
        run.output("after_near_dedup.parquet"),
        run.output("dropped/near.parquet"),
        run.output("near_pairs.parquet"),
        run.params.near,
        run.params.keep,
        run.near_store(),
        run.max_memory,
        run.progress,
        run.pool,
    )
    return {
        "kept": counts.kept,
        "near": counts.dropped,
        "judged": counts.judged,
        "reused": counts.reused,
        "capped_buckets": counts.capped_buckets,
    }


if __name__ == "__main__":
    run_stage("near_dedup", STAGE_VERSION, work)
