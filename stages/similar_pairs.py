"""similar_pairs: every pair of rows whose cosine is at or above the floor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from entropyguard.core.arrays import Bools, Floats, Ints
from entropyguard.run.stage import Counts, StageRun, run_stage

if TYPE_CHECKING:
    from entropyguard.core.arrays import Bools, Floats, Ints

STAGE_VERSION = 5


def work(run: StageRun) -> Counts:
    from entropyguard.core.pairs.similar_pairs import find_similar_pairs, write_no_pairs

    if not run.params.semantic.enabled:
        write_no_pairs(run.output("similar_pairs.parquet"))
        return {"pairs": 0, "blocks": 0, "blocks_reused": 0}

    def exact_vectors(wanted: Bools) -> Iterator[tuple[Ints, Floats]]:
        from entropyguard.core.embed import row_vectors

        return row_vectors.exact_vectors(
            run.checkpoint("after_near_dedup.parquet"),
            wanted,
            run.encoder("float32"),
            run.params.embed.max_windows,
            run.vector_store(),
            run.progress,
        )

    counts = find_similar_pairs(
        run.checkpoint("embeddings.parquet"),
        run.output("similar_pairs.parquet"),
        run.params.search,
        run.block_store(),
        run.max_memory,
        run.progress,
        run.threads,
        exact_vectors,
    )
    return {"pairs": counts.pairs, "blocks": counts.blocks, "blocks_reused": counts.blocks_reused}


if __name__ == "__main__":
    run_stage("similar_pairs", STAGE_VERSION, work)
