"""A run from request to published result: check, own the dir, repair, `dvc repro`, account for every row, publish."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from entropyguard.core.checkpoint.metadata import write_entries
from entropyguard.core.errors import EntropyguardError, ProcessingError
from entropyguard.core.params import Params
from entropyguard.core.rows.source import Source
from entropyguard.core.storage.files import FileState
from entropyguard.project.checkpoint_dir import (
    free_old_vectors,
    materialise,
    owned,
)
from entropyguard.project.layout import PUBLISHED
from entropyguard.project.linked_input import linked_input
from entropyguard.project.lock import LockedStage
from entropyguard.project.pipeline import STAGES, own_files
from entropyguard.project.project import Project
from entropyguard.project.repair import repair
from entropyguard.project.repro import StageError, repro
from entropyguard.project.validity import UP_TO_DATE, stage_statuses, why_it_ran
from entropyguard.run.at_rest import check_input
from entropyguard.run.finish import checked_report, finish, publish_results
from entropyguard.run.pools import pool_variables, refusals
from entropyguard.run.progress import watched_progress
from entropyguard.run.reading import Reading, reading_of, with_rejected
from entropyguard.run.request import STDIN, Request
from entropyguard.run.settings import params_of, say_texts
from entropyguard.run.stage.wanted import host_variables
from entropyguard.run.watch_run import RunWatch
from entropyguard.run.working_dir import spool, spooled_name, working_dir
from entropyguard.run.wrong_use import check_request, input_of

Say = Callable[[str], None]


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
    reading: Reading | None = None


class RunFailedError(EntropyguardError):
    """A stage ended the run; carries the stage's own exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # the class-wide code gives way to the stage's


def run_build(request: Request, say: Say) -> Summary:
    """Do what the request asks; every failure is an EntropyguardError or Interrupted, and nothing is published."""
    started = time.monotonic()
    check_request(request)
    # Wrong use is reported before a dir is made; only stdin has to be written down first.
    found = None if request.input == STDIN else input_of(request)
    params = None if found is None else params_of(request, found.sources)
    with working_dir(request) as project, owned(project):
        if found is None or params is None:
            found = input_of(request, spool(project, request))
            params = params_of(request, found.sources)
        sources = found.sources
        say_texts(request, params, say)
        stages = _build(project, request, params, sources, say)
        built = project.reread()
        report = checked_report(built)
        names = [spooled_name(request)] if request.input == STDIN else [str(source.path) for source in sources]
        finish(built, request, params, sources, names)
        if stages["embed"].ran and params.semantic.enabled:  # else they wait for the next run that needs them
            free_old_vectors(built)
        publish_results(built, request, stages)
        reading = with_rejected(reading_of(found), built, request, names, report["rows"])
    return Summary(report, stages, time.monotonic() - started, params.as_dict(), reading)


def _build(
    project: Project, request: Request, params: Params, sources: list[Source], say: Say
) -> dict[str, StageOutcome]:
    """Bring every stage up to date in a dir that is ours; what each of them did."""
    repaired = repair(project)
    project = project.reread()
    before = project.lock
    if not request.resume and before and request.checkpoint_dir is not None:
        say(f"Checkpoints of an earlier run lie in {project.root}; they are built again. --resume would use them.")
    materialise(project, params.as_dict(), sources)
    change = linked_input(sources).change(project) if request.resume else None
    ahead = _announce(project, params.as_dict(), change, repaired, say) if request.resume else list(STAGES)
    states = {path: FileState.of(path) for path in (source.path for source in sources) if isinstance(path, Path)}
    run_id = uuid.uuid4().hex
    write_entries(project.root, [])  # what is being replaced is not for use, whatever happens to this run
    watch = RunWatch(project, run_id, ahead, params, resume=request.resume)
    _repro(project, request, {"ENTROPYGUARD_RUN": run_id, **host_variables(ahead, params, request.threads)}, watch, say)
    built = project.reread()
    check_input(built, request.input, sources, states)
    return _outcomes(before, built, run_id, repaired, change, forced=not request.resume)


def _announce(
    project: Project, params: dict[str, Any], change: str | None, repaired: dict[str, str], say: Say
) -> list[str]:
    """Before the work starts, say which checkpoints cannot be used, and why; the stages that are out of date."""
    for message in repaired.values():
        if message.startswith("Failed"):
            say(message)
    statuses = stage_statuses(project, own_files(project.root), params, change)
    for status in statuses:
        reason = repaired.get(status.stage, status.reason or "")
        if status.stage in PUBLISHED and status.state != UP_TO_DATE and not reason.startswith("Failed"):
            name = PUBLISHED[status.stage].removesuffix(".parquet")
            say(f"Checkpoint invalid or not found: {name}: {reason}")
    return [status.stage for status in statuses if status.state != UP_TO_DATE]


def _repro(project: Project, request: Request, extra: dict[str, str], watch: RunWatch, say: Say) -> None:
    if not request.resume:
        extra["ENTROPYGUARD_FRESH"] = "1"
    if request.allow_download:
        extra["ENTROPYGUARD_ALLOW_DOWNLOAD"] = "1"
    if request.max_memory is not None:
        extra["ENTROPYGUARD_MAX_MEMORY"] = str(request.max_memory)
    if request.threads is not None:
        extra["ENTROPYGUARD_THREADS"] = str(request.threads)
    extra |= pool_variables(request.workers, request.ray)
    if request.vector_cache is not None:
        extra["ENTROPYGUARD_VECTOR_CACHE"] = str(request.vector_cache.resolve())
    try:
        with watched_progress(watch, quiet=request.quiet):
            repro(project, extra, force=not request.resume)
    except StageError as failure:
        raise RunFailedError(str(failure), failure.exit_code) from failure
    finally:
        log = project.paths.log.read_text(encoding="utf-8", errors="replace")
        for line in [log.rstrip()] if request.verbose else refusals(log):
            say(line)


def _outcomes(
    before: dict[str, LockedStage],
    after: Project,
    run_id: str,
    repaired: dict[str, str],
    change: str | None,
    *,
    forced: bool,
) -> dict[str, StageOutcome]:
    """What each stage did, by the lock before the run and what the project holds after it."""
    outcomes = {}
    for stage in STAGES:
        record = after.record(stage)
        if record is None:
            raise ProcessingError(f"{stage} left no record in {after.root}. Run again with --resume.")
        reason = None
        if record.run == run_id:
            locks = before.get(stage), after.lock[stage]
            reason = why_it_ran(stage, *locks, repaired.get(stage), change, forced=forced)
        outcomes[stage] = StageOutcome(
            record.run == run_id, reason, record.rows, record.seconds, record.peak_bytes, record.counts
        )
    return outcomes
