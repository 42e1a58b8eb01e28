"""similar_pairs: every pair of rows whose cosine is at or above the floor."""

from __future__ import annotations

from entropyguard.run.stage import run_stage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from entropyguard.run.stage import Counts, StageRun

STAGE_VERSION = 6


def work(run: StageRun) -> Counts:
    from entropyguard.core.pairs.similar_pairs import find_similar_pairs, write_no_pairs

    if not run.params.semantic.enabled:
        write_no_pairs(run.output("similar_pairs.parquet"))
        return {"pairs": 0, "blocks": 0, "blocks_reused": 0}
    counts = find_similar_pairs(
        run.checkpoint("embeddings.parquet"),
        run.output("similar_pairs.parquet"),
        run.params.search,
        run.block_store(),
        run.max_memory,
        run.progress,
        run.pool,
        run.threads,
    )
    return {"pairs": counts.pairs, "blocks": counts.blocks, "blocks_reused": counts.blocks_reused}


if __name__ == "__main__":
    run_stage("similar_pairs", STAGE_VERSION, work)
