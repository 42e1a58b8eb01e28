"""embed: a vector for each text, taken from the vector store where it was embedded before; none without a model."""

from __future__ import annotations

from entropyguard.run.stage import run_stage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from entropyguard.run.stage import Counts, StageRun

STAGE_VERSION = 6


def work(run: StageRun) -> Counts:
    from entropyguard.core.embed.embed import embed_texts, write_no_embeddings

    if not run.params.semantic.enabled:
        write_no_embeddings(run.output("embeddings.parquet"))
        return {"embedded": 0, "reused": 0, "empty": 0, "unreadable": 0, "over_long": 0}
    counts = embed_texts(
        run.checkpoint("after_near_dedup.parquet"),
        run.output("embeddings.parquet"),
        run.encoder(),
        run.params.embed.max_windows,
        run.vector_store(),
        run.progress,
        run.pool,
    )
    return {
        "embedded": counts.embedded,
        "reused": counts.reused,
        "empty": counts.empty,
        "unreadable": counts.unreadable,
        "over_long": counts.over_long,
    }


if __name__ == "__main__":
    run_stage("embed", STAGE_VERSION, work)
