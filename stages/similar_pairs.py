"""similar_pairs: every pair of rows whose cosine is at or above the floor."""

from entropyguard.runtime import Counts, StageRun, run_stage

STAGE_VERSION = 1


def work(run: StageRun) -> Counts:
    from entropyguard.core.similar import find_similar_pairs

    counts = find_similar_pairs(
        run.input("embeddings.parquet"),
        run.output("similar_pairs.parquet"),
        run.params.search,
        run.block_store(),
        run.max_memory,
        run.progress,
        threads=run.threads,
    )
    return {"pairs": counts.pairs, "blocks": counts.blocks, "blocks_reused": counts.blocks_reused}


if __name__ == "__main__":
    run_stage("similar_pairs", STAGE_VERSION, work)
