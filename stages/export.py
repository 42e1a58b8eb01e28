"""export: the rows that stay, in the format asked for, and the report."""

from entropyguard.runtime import Counts, StageRun, run_stage

STAGE_VERSION = 1


def work(run: StageRun) -> Counts:
    from entropyguard.core.files import write_json
    from entropyguard.core.report import build_report
    from entropyguard.core.writers import write_records

    kept = run.input("after_semantic_dedup.parquet")
    report = build_report(
        run.input("ingested.parquet"),
        run.input("rejected.jsonl"),
        run.input("dropped/exact.parquet"),
        run.input("dropped/semantic.parquet"),
        kept,
        run.params,
    )
    cleaned = run.output(f"cleaned.{run.params.output.format}")
    rows = write_records(kept, cleaned, run.params.output.format, run.progress)
    write_json(run.output("report.json"), report)
    return {"rows": rows}


if __name__ == "__main__":
    run_stage("export", STAGE_VERSION, work)
