"""export: the rows that stay, in the format asked for, and the report, as numbers and as a page."""

from __future__ import annotations

from entropyguard.run.stage import run_stage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from entropyguard.run.stage import Counts, StageRun

STAGE_VERSION = 7


def work(run: StageRun) -> Counts:
    from entropyguard.core.export.writers import write_records
    from entropyguard.core.report.drop_rates import drop_warnings
    from entropyguard.core.report.examples import find_examples
    from entropyguard.core.report.lineage import Lineage
    from entropyguard.core.report.marks import marks_of
    from entropyguard.core.report.page import render_page, row_steps
    from entropyguard.core.report.plots import rows_plot, similarity_plot
    from entropyguard.core.report.report import build_report, nothing_to_compare_lines, reading_warnings
    from entropyguard.core.report.same_template import guard_lines
    from entropyguard.core.storage.files import write_json

    kept, dropped = run.checkpoint("after_semantic_dedup.parquet"), ("exact", "near", "semantic")
    lineage = Lineage(
        run.checkpoint("ingested.parquet"),
        run.input("rejected.jsonl"),
        {f"{name}_dedup": run.checkpoint(f"dropped/{name}.parquet") for name in dropped},
        kept,
        [],  # what the files are called is no part of the result
    )
    report = build_report(lineage, run.checkpoint("embeddings.parquet"), run.params, run.place)
    cleaned = run.output(f"cleaned.{run.params.output.format}")
    marks = marks_of(lineage) if run.params.output.mark else None
    written = lineage.ingested if marks else kept
    rows = write_records(written, cleaned, run.params.output.format, run.progress, run.place, marks, run.spread())
    write_json(run.output("report.json"), report)
    near_pairs, similar_pairs = run.checkpoint("near_pairs.parquet"), run.checkpoint("similar_pairs.parquet")
    examples = find_examples(lineage, near_pairs, similar_pairs, report)
    run.output("report.html").write_text(render_page(report, examples), encoding="utf-8")
    run.output("plots/rows.svg").write_text(rows_plot(row_steps(report["rows"])), encoding="utf-8")
    similarity = similarity_plot(examples.histogram, run.params.semantic.dedup_threshold)
    run.output("plots/similarity.svg").write_text(similarity, encoding="utf-8")
    notes = [*guard_lines(report), *nothing_to_compare_lines(report)]
    for line in [*notes, *drop_warnings(report), *reading_warnings(report)]:
        run.note(line)
    return {"rows": rows}


if __name__ == "__main__":
    run_stage("export", STAGE_VERSION, work)
