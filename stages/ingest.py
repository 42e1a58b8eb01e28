"""ingest: read the input, keep each row as it came, set aside what cannot be read."""

from entropyguard.run.stage import Counts, StageRun, run_stage

STAGE_VERSION = 3
MOST_READS = 3  # of an input that is touched meanwhile


def work(run: StageRun) -> Counts:
    from entropyguard.core.ingest.ingest import ingest
    from entropyguard.core.ingest.inputs import find_sources

    sources = find_sources(run.params.input)
    for source in sources:
        run.watch(source.path)
    for _ in range(MOST_READS):
        counts = ingest(
            sources,
            run.output("ingested.parquet"),
            run.output("rejected.jsonl"),
            run.params.ingest,
            run.progress,
            run.params.chunks,
        )
        if run.is_at_rest():
            break
    return {"rows": counts.rows, "rejected": counts.rejected, "split": counts.split}


if __name__ == "__main__":
    run_stage("ingest", STAGE_VERSION, work)
