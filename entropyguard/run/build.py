"""A run from request to published result: check, own the dir, heal, `dvc repro`, account for every row, publish."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from entropyguard.core.checkpoint.metadata import Entry, pipeline_entry, write_entries
from entropyguard.core.errors import EntropyguardError, InputError, ProcessingError
from entropyguard.core.params import Params
from entropyguard.core.report.report import check_rows
from entropyguard.core.rows.source import Source
from entropyguard.core.storage.files import FileState, read_json, write_json
from entropyguard.project.checkpoint_dir import free_old_vectors, free_unused, linked_files, materialise, owned
from entropyguard.project.pipeline import (
    METRICS,
    PAGE,
    STAGES,
    LockedStage,
    load_lock,
    load_stages,
    own_files,
    stage_params,
)
from entropyguard.project.records import FOLDER, first_rows, is_damaged, read_sidecar, remember_state
from entropyguard.project.repair import forget_stage, heal
from entropyguard.project.repro import StageError, repro
from entropyguard.project.validity import UP_TO_DATE, input_change, input_states, stage_statuses, why_it_ran
from entropyguard.run.progress import watched_progress
from entropyguard.run.publish import output_format, publish_once, whole_file
from entropyguard.run.request import STDIN, Request, check_request, params_of, sources_of

Say = Callable[[str], None]

PUBLISHED_CHECKPOINTS = {"exact_dedup": "after_exact_dedup", "semantic_dedup": "after_semantic_dedup"}


@dataclass(frozen=True)
class StageOutcome:
    """What one stage did in this run."""

    ran: bool
    reason: str | None
    rows: int | None
    seconds: float
    peak_bytes: int
    counts: dict[str, int]


@dataclass(frozen=True)
class Summary:
    """A finished run: the report, every stage's outcome, and where the dir lies (None: it was a private one)."""

    report: dict[str, Any]
    stages: dict[str, StageOutcome]
    seconds: float
    settings: dict[str, Any] = field(default_factory=dict)


class RunFailedError(EntropyguardError):
    """A stage ended the run; carries the stage's own exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # the class-wide code gives way to the stage's


def run_build(request: Request, say: Say) -> Summary:
    """Do what the request asks; every failure is an EntropyguardError or Interrupted, and nothing is published."""
    started = time.monotonic()
    check_request(request)
    # Wrong use is told before a dir is made; only stdin has to be written down first.
    sources = [] if request.input == STDIN else sources_of(request)
    params = params_of(request, sources) if sources else None
    with _working_dir(request, say) as project, owned(project):
        if params is None:
            sources = sources_of(request, _spool(project))
            params = params_of(request, sources)
        stages = _build(project, request, params, sources, say)
        summary = Summary(_report(project), stages, time.monotonic() - started, params.as_dict())
        names = [STDIN] if request.input == STDIN else [str(source.path) for source in sources]
        _settle(project, request, params, sources, names)
        if stages["embed"].ran:
            free_old_vectors(project)
        _publish(project, request, names, stages)
    return summary


def _build(project: Path, request: Request, params: Params, sources: list[Source], say: Say) -> dict[str, StageOutcome]:
    """Bring every stage up to date in a dir that is ours; what each of them did."""
    found = heal(project)
    before = load_lock(project)
    if not request.resume and before and request.checkpoint_dir is not None:
        say(f"Checkpoints of an earlier run lie in {project}; they are built again. --resume would use them.")
    materialise(project, params.as_dict(), sources)
    if request.resume:
        _announce(project, params.as_dict(), sources, found, say)
    states = {source.path: FileState.of(source.path) for source in sources}
    run_id = uuid.uuid4().hex
    write_entries(project, [])  # what is being replaced is not for use, whatever happens to this run
    _repro(project, request, run_id, say)
    _check_input_stable(project, states)
    return _outcomes(project, run_id, before, found, forced=not request.resume)


@contextmanager
def _working_dir(request: Request, say: Say) -> Iterator[Path]:
    """The checkpoint dir, or a private one that goes with a success and stays with a failure."""
    if request.checkpoint_dir is not None:
        yield request.checkpoint_dir.resolve()
        return
    project = Path(tempfile.mkdtemp(prefix="entropyguard-"))
    try:
        yield project
    except BaseException:
        if load_lock(project):
            say(f"What was finished is kept in {project}; add --checkpoint-dir {project} --resume to go on from it.")
        else:
            shutil.rmtree(project, ignore_errors=True)
        raise
    shutil.rmtree(project)


def _spool(project: Path) -> Path:
    """Standard input as a file: DVC can take no pipe as a dependency."""
    spooled = project / FOLDER / "stdin.jsonl"
    with whole_file(spooled, "--checkpoint-dir") as temporary, temporary.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file, 16 << 20)
    return spooled


def _announce(project: Path, params: dict[str, Any], sources: list[Source], found: dict[str, str], say: Say) -> None:
    """Before the work starts, say which checkpoints cannot be used, and why."""
    for message in found.values():
        if message.startswith("Failed"):
            say(message)
    change = input_change(project, params["input"], linked_files(sources))
    for status in stage_statuses(project, own_files(project), params, change):
        reason = found.get(status.stage, status.reason) or ""
        told = status.state == UP_TO_DATE or reason.startswith("Failed")
        if status.stage in PUBLISHED_CHECKPOINTS and not told:
            say(f"Checkpoint invalid or not found: {PUBLISHED_CHECKPOINTS[status.stage]}: {reason}")


def _repro(project: Path, request: Request, run_id: str, say: Say) -> None:
    extra = {"ENTROPYGUARD_RUN": run_id}
    if not request.resume:
        extra["ENTROPYGUARD_FRESH"] = "1"
    if request.allow_download:
        extra["ENTROPYGUARD_ALLOW_DOWNLOAD"] = "1"
    if request.max_memory is not None:
        extra["ENTROPYGUARD_MAX_MEMORY"] = str(request.max_memory)
    if request.threads is not None:
        extra["ENTROPYGUARD_THREADS"] = str(request.threads)
    if request.vector_cache is not None:
        extra["ENTROPYGUARD_VECTOR_CACHE"] = str(request.vector_cache.resolve())
    try:
        with watched_progress(project / FOLDER / "progress.json", quiet=request.quiet):
            repro(project, extra, force=not request.resume)
    except StageError as failure:
        raise RunFailedError(str(failure), failure.exit_code) from failure
    finally:
        if request.verbose:
            say((project / FOLDER / "dvc.log").read_text(encoding="utf-8", errors="replace").rstrip())


def _check_input_stable(project: Path, before: dict[Path, FileState]) -> None:
    """InputError when an input file changed since the run began; ingest then runs again whatever DVC recorded."""
    for path, state in before.items():
        if not path.exists() or FileState.of(path) != state:
            forget_stage(project, "ingest")
            raise InputError(f"{path} changed during the run; nothing was published. Run again with --resume.")


def _outcomes(
    project: Path, run_id: str, before: dict[str, LockedStage], found: dict[str, str], *, forced: bool
) -> dict[str, StageOutcome]:
    after = load_lock(project)
    outcomes = {}
    for stage in STAGES:
        sidecar = read_sidecar(project, stage)
        if sidecar is None:
            raise ProcessingError(f"{stage} left no record in {project}. Run again with --resume.")
        ran = sidecar["run"] == run_id
        reason = why_it_ran(stage, before.get(stage), after[stage], found.get(stage), forced=forced) if ran else None
        outcomes[stage] = StageOutcome(
            ran, reason, first_rows(sidecar), sidecar["seconds"], sidecar["peak_bytes"], sidecar["counts"]
        )
    return outcomes


def _report(project: Path) -> dict[str, Any]:
    report: dict[str, Any] = read_json(project / METRICS)
    check_rows(report["rows"])
    return report


def _settle(project: Path, request: Request, params: Params, sources: list[Source], names: list[str]) -> None:
    """After a success: every checkpoint checked once more, the published metadata written, one generation kept."""
    lock = load_lock(project)
    for out in [out for stage in lock.values() for out in stage.outs if out != METRICS]:
        if is_damaged(project, out):
            raise ProcessingError(f"{out} changed on disk during the run; nothing was published. Use --resume.")
        remember_state(project, out)
    files = linked_files(sources)
    write_json(project / FOLDER / "inputs.json", {"names": names, "states": input_states(files)})
    locked_input = lock["ingest"].deps[params.input]
    entries = [
        _entry(project, stage, request.input, files, locked_input, params.as_dict()) for stage in PUBLISHED_CHECKPOINTS
    ]
    write_entries(project, entries, {stage: read_sidecar(project, stage) for stage in STAGES})
    free_unused(project)


def _entry(
    project: Path, stage: str, spec: str, files: dict[str, Path], input_md5: str, params: dict[str, Any]
) -> Entry:
    """The published metadata of one of the two published checkpoints."""
    checkpoint = project / f"{PUBLISHED_CHECKPOINTS[stage]}.parquet"
    stages = load_stages(project / "dvc.yaml", params)
    upstream = stages[: [one.name for one in stages].index(stage) + 1]
    sidecar = read_sidecar(project, stage) or {}
    return pipeline_entry(
        checkpoint,
        input_path=spec,
        input_files=files,
        input_hash=input_md5,
        keys={name: value for one in upstream for name, value in stage_params(one, params).items()},
        row_count=sidecar["outputs"][checkpoint.name]["rows"],
        digest=sidecar["outputs"][checkpoint.name]["digest"],
        finished_at=sidecar["finished_at"],
    )


def _publish(project: Path, request: Request, names: list[str], stages: dict[str, StageOutcome]) -> None:
    """Put the report, the audit and the cleaned file where the user asked, in that order: the data last."""
    if request.report is not None:
        from entropyguard.core.report.page import publish_page  # jinja2, only for those who ask for a report

        with whole_file(request.report, "--report") as temporary:
            publish_page(project / PAGE, temporary, stages)
    if request.audit_log is not None:
        from entropyguard.core.report.audit import (  # polars, only for those who ask for an audit
            audit_format,
            write_audit,
        )

        with whole_file(request.audit_log, "--audit-log") as temporary:
            write_audit(project, names, temporary, audit_format(request.audit_log))
    publish_once(project, f"cleaned.{output_format(request.output)}", request.output)
