"""What follows the stages: every row accounted for, checkpoints checked and described, results published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from entropyguard.core.checkpoint.metadata import Entry, pipeline_entry, write_entries
from entropyguard.core.errors import ProcessingError
from entropyguard.core.params import Params
from entropyguard.core.report.report import check_rows
from entropyguard.core.rows.source import Source
from entropyguard.core.storage.files import read_json, write_json
from entropyguard.core.storage.upload import Uploads
from entropyguard.project.cache import free_unused
from entropyguard.project.layout import PAGE, PUBLISHED, REPORT, cleaned
from entropyguard.project.linked_input import linked_input
from entropyguard.project.pipeline import STAGES, stage_params
from entropyguard.project.project import Project
from entropyguard.run.audit import audit_kind, text_chars
from entropyguard.run.publish import output_format, publish_once, whole_file
from entropyguard.run.request import Request


def checked_report(project: Project) -> dict[str, Any]:
    """What report.json holds; InternalError where it does not account for every row."""
    report: dict[str, Any] = read_json(project.root / REPORT)
    check_rows(report["rows"])
    return report


def finish(project: Project, request: Request, params: Params, sources: list[Source], names: list[str]) -> None:
    """After a success: every checkpoint checked once more, the published metadata written, one generation kept."""
    outs = [out for stage in project.lock.values() for out in stage.outs if out != REPORT]
    for out in outs:
        if project.is_damaged(out):
            raise ProcessingError(f"{out} changed on disk during the run; nothing was published. Use --resume.")
    project.remember_states(outs)
    linked = linked_input(sources)
    seen = {"names": names, "spec": request.input, "states": linked.states()}
    write_json(project.paths.seen_input, seen)
    entries = [_entry(project, stage, request.input, linked.files(), params) for stage in PUBLISHED]
    records = {stage: project.record(stage) for stage in STAGES}
    write_entries(project.root, entries, {stage: record.as_dict() for stage, record in records.items() if record})
    free_unused(project)


def _entry(project: Project, stage: str, spec: str, files: dict[str, str], params: Params) -> Entry:
    """The published metadata of one of the two published checkpoints."""
    names, record = list(project.stages), project.record(stage)
    if record is None:
        raise ProcessingError(f"{stage} left no record in {project.root}. Run again with --resume.")
    upstream = [project.stages[name] for name in names[: names.index(stage) + 1]]
    output = record.outputs[PUBLISHED[stage]]
    return pipeline_entry(
        project.root / PUBLISHED[stage],
        input_path=spec,
        input_files=files,
        input_hash=project.lock["ingest"].deps[params.input],
        keys={name: value for one in upstream for name, value in stage_params(one, params.as_dict()).items()},
        row_count=output.rows or 0,
        digest=output.digest,
        finished_at=record.finished_at,
    )


def publish_results(project: Project, request: Request, stages: Mapping[str, Any]) -> None:
    """Put the report, the audit and the cleaned file where the user asked, in that order: the data last.

    stages: what each did, as the report's page tells it.
    """
    uploads = Uploads(project.paths.uploads)
    uploads.abort()  # what a killed run had under way
    if request.report is not None:
        from entropyguard.core.report.page import publish_page  # jinja2, only for those who ask for a report

        with whole_file(request.report, "--report", uploads) as temporary:
            publish_page(project.root / PAGE, temporary, stages)
    if request.audit_log is not None:
        from entropyguard.core.report.audit import write_audit  # polars, for those who ask for an audit

        with whole_file(request.audit_log, "--audit-log", uploads) as temporary:
            kind, chars = audit_kind(request.audit_log), text_chars(request.audit_text)
            write_audit(project.lineage(), temporary, kind, chars)
    publish_once(project, cleaned(output_format(request.output)), request.output)
