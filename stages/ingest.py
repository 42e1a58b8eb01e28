"""ingest: read the input, keep each row as it came, set aside what cannot be read."""

from __future__ import annotations

from entropyguard.run.stage import run_stage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from entropyguard.run.stage import Counts, StageRun

STAGE_VERSION = 7
MOST_READS = 3  # of an input that is touched meanwhile


def work(run: StageRun) -> Counts:
    from entropyguard.core.ingest.ingest import ingest
    from entropyguard.core.ingest.inputs import find_input
    from entropyguard.core.ingest.reading_notes import reading_notes
    from entropyguard.core.report.rejected import first_rejected, rejected_line

    found = find_input(run.params.input, run.params.ingest.encoding)
    sources = found.sources
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
            spread=run.spread(threads=3),
        )
        if run.is_at_rest():
            break
    first = first_rejected(run.output("rejected.jsonl"))
    lines = reading_notes(found)
    if first is not None:
        place = f"{sources[first.file]}, line {first.line}"
        lines.append(rejected_line(counts.rejected, counts.rows, first, place))
    for line in lines:
        run.note(line)
    return {"rows": counts.rows, "rejected": counts.rejected, "split": counts.split}


if __name__ == "__main__":
    run_stage("ingest", STAGE_VERSION, work)
