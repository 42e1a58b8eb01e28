"""`verify --strict`: everything built anew in a temporary copy, then compared with the project, which stays untouched.

Floating point gives other last bits on another kind of CPU, and only vectors are floating point: all that is
computed from given vectors is the same everywhere. So where the vectors differ within rounding, the rest must be,
to the bit, what the project's own vectors give, and a row that the rebuild decides differently must be borderline.
"""

from __future__ import annotations

import shutil
import tempfile
import uuid
from pathlib import Path

import pyarrow as pa
from polars.exceptions import PolarsError

from entropyguard.core.errors import InputError, ProcessingError
from entropyguard.core.report.build_diff import VECTOR_TOLERANCE, Difference, decision_differences, vector_distance
from entropyguard.core.storage.files import content_digest
from entropyguard.project.agreement import input_files
from entropyguard.project.checkpoint_dir import copy_pipeline, owned
from entropyguard.project.layout import DROPPED, EMBEDDINGS, REPORT
from entropyguard.project.pipeline import STAGES
from entropyguard.project.project import Project
from entropyguard.project.repro import StageError, commit, repro
from entropyguard.queries.verdict import Finding, Verdict
from entropyguard.run.build import RunFailedError
from entropyguard.run.progress import watched_progress
from entropyguard.run.watch_run import RunWatch

_SHOWN = 20
_UNREADABLE = (ProcessingError, OSError, pa.ArrowException, PolarsError)


def verify_rebuild(project: Project) -> Verdict:
    """Rebuild without any store and compare every output. InputError when the input or an output is not here."""
    _check_data(project)
    with tempfile.TemporaryDirectory(prefix="entropyguard-verify-") as folder:
        copy = Project(Path(folder))
        with owned(copy):
            copy_pipeline(project, copy)
            _repro(copy, force=True)
            found = _output_differences(project, copy)
            differ = {one.stage for one in found}
            if not found:
                return Verdict((), "verified: a rebuild gives every output to the bit")
            rounding = project.params.semantic.enabled and "embed" in differ
            if differ & {"ingest", "exact_dedup", "near_dedup"} or not rounding:
                return Verdict(tuple(found), "")
            return _without_equal_bits(project, copy)


def _check_data(project: Project) -> None:
    missing = [] if input_files(project) else [project.params.input]
    outs = [out for stage in project.stages.values() for out in stage.outs]
    missing += [out for out in outs if out != REPORT and not (project.root / out).is_file()]
    if missing:
        raise InputError(
            f"{', '.join(missing)}: not in {project.root}, and --strict compares the data themselves. "
            "Run `dvc pull` first (in a checkpoint dir: a run with --resume)."
        )


def _repro(copy: Project, *, force: bool) -> None:
    # No store of the user's may hand in vectors that were made elsewhere.
    extra = {"ENTROPYGUARD_RUN": uuid.uuid4().hex, "ENTROPYGUARD_VECTOR_CACHE": ""}
    watch = RunWatch(copy, extra["ENTROPYGUARD_RUN"], list(STAGES), copy.params, resume=False)
    try:
        with watched_progress(watch, quiet=False):
            repro(copy, extra, force=force)
    except StageError as failure:
        raise RunFailedError(f"The rebuild failed: {failure}", failure.exit_code) from failure


def _output_differences(project: Project, copy: Project) -> list[Finding]:
    """A finding for every stage that wrote other bytes in the copy; report.json counts only where it is here."""
    findings = []
    for stage in project.stages.values():
        outs = [out for out in stage.outs if (project.root / out).is_file() or out != REPORT]
        changed = [out for out in outs if content_digest(project.root / out) != content_digest(copy.root / out)]
        if changed:
            rows = _first(_differences(project, copy, stage.name)) if DROPPED.get(stage.name) in changed else ""
            findings.append(Finding(stage.name, f"a rebuild gives another {', '.join(changed)}{rows}"))
    return findings


def _differences(project: Project, copy: Project, stage: str, threshold: float | None = None) -> list[Difference]:
    name = DROPPED[stage]
    try:
        return decision_differences(project.checkpoint(name), copy.checkpoint(name), threshold)
    except _UNREADABLE:
        return []  # the bytes differ, which is said; what they hold cannot be


def _first(differences: list[Difference]) -> str:
    """The first rows that were decided differently."""
    shown = [str(one) for one in differences[:_SHOWN]]
    more = len(differences) - len(shown)
    return "".join(f"; {one}" for one in shown) + (f"; and {more:,} more" if more else "")


def _without_equal_bits(project: Project, copy: Project) -> Verdict:
    """The verdict where the vectors have other bits: rounding, or a real difference."""
    if _same_kind_of_cpu(project, copy):
        reason = "a rebuild on the same kind of CPU, with the same libraries and model, gives another"
        return Verdict((Finding("embed", f"{reason} {EMBEDDINGS}"),), "")
    distance = _distance(project, copy)
    if distance is None or not distance <= VECTOR_TOLERANCE:
        how = "rows or texts" if distance is None else f"vectors, by up to {distance:.1e}: more than rounding does"
        return Verdict((Finding("embed", f"{EMBEDDINGS}: a rebuild gives other {how}"),), "")
    decided = _differences(project, copy, "semantic_dedup", project.params.semantic.dedup_threshold)
    _go_on_from_own_vectors(project, copy)
    found = _output_differences(project, copy)
    found += [Finding("semantic_dedup", f"{one}, and rounding does not explain it") for one in decided if not one.why]
    borderline = [Finding("semantic_dedup", f"borderline: {one} ({one.why})") for one in decided if one.why]
    summary = (
        f"verified: rebuilt with other rounding (another kind of CPU or build of torch); vectors differ by up to "
        f"{distance:.1e}, {len(borderline):,} decisions are borderline, all others are the same"
    )
    return Verdict(tuple(found), summary, tuple(borderline))


def _same_kind_of_cpu(project: Project, copy: Project) -> bool:
    """Whether the project's vectors are known to come from an encoder that gives the bits that this machine's gives.

    The vector store keeps each embeddings.parquet under the encoder's fingerprint, which names CPU, libraries and
    model. A clone has no store; there, other bits within rounding are taken for another kind of CPU.
    """
    digest = content_digest(project.root / EMBEDDINGS)
    encoders = [path.name for path in copy.paths.vectors.iterdir()]
    return any(any((project.paths.vectors / name).glob(f"*-{digest}.parquet")) for name in encoders)


def _distance(project: Project, copy: Project) -> float | None:
    try:
        return vector_distance(project.checkpoint(EMBEDDINGS), copy.checkpoint(EMBEDDINGS))
    except _UNREADABLE:
        return None


def _go_on_from_own_vectors(project: Project, copy: Project) -> None:
    """Put the project's vectors into the copy as if embed had written them, and run the stages after it."""
    own = copy.root / EMBEDDINGS
    own.unlink()  # it is a link into the copy's cache
    shutil.copyfile(project.root / EMBEDDINGS, own)
    commit(copy, "embed")
    _repro(copy, force=False)
