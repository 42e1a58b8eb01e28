"""exact_dedup: of the rows whose normalised texts are equal, keep one."""

from __future__ import annotations

from entropyguard.run.stage import run_stage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from entropyguard.run.stage import Counts, StageRun

STAGE_VERSION = 3


def work(run: StageRun) -> Counts:
    from entropyguard.core.exact.exact import drop_exact_duplicates

    counts = drop_exact_duplicates(
        run.checkpoint("ingested.parquet"),
        run.output("after_exact_dedup.parquet"),
        run.output("dropped/exact.parquet"),
        run.params.exact,
        run.params.keep,
        run.progress,
        run.spread(),
    )
    return {
        "kept": counts.kept,
        "min_length": counts.min_length,
        "exact": counts.exact,
        "nothing_to_compare": counts.nothing_to_compare,
    }


if __name__ == "__main__":
    run_stage("exact_dedup", STAGE_VERSION, work)
