"""`verify --strict`: everything built anew in a temporary copy, then compared with the project, which stays untouched.

Floating point gives other last bits on another kind of CPU, and only vectors are floating point: all that is
computed from given vectors is the same everywhere. So where the vectors differ within rounding, the rest must be,
to the bit, what the project's own vectors give, and a row that the rebuild decides differently must be borderline.
"""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
import uuid
from pathlib import Path

import pyarrow as pa
import yaml
from polars.exceptions import PolarsError

from entropyguard.core.errors import InputError, ProcessingError
from entropyguard.core.ingest.inputs import find_sources
from entropyguard.core.params import Params, load_yaml
from entropyguard.core.report.build_diff import VECTOR_TOLERANCE, Difference, decision_differences, vector_distance
from entropyguard.core.storage.files import content_digest, write_whole
from entropyguard.project.checkpoint_dir import input_param, materialise, owned
from entropyguard.project.pipeline import METRICS, STAGES, load_stages
from entropyguard.project.records import FOLDER
from entropyguard.project.repro import StageError, commit, repro
from entropyguard.queries.verify import Finding, Verdict, input_files, read_project
from entropyguard.run.build import RunFailedError
from entropyguard.run.progress import watched_progress

_EMBEDDINGS = "embeddings.parquet"
_DECIDED = {"exact_dedup": "dropped/exact.parquet", "semantic_dedup": "dropped/semantic.parquet"}
_SHOWN = 20
_UNREADABLE = (ProcessingError, OSError, pa.ArrowException, PolarsError)


def verify_rebuild(project: Path) -> Verdict:
    """Rebuild without any store and compare every output. InputError when the input or an output is not here."""
    params, stages = read_project(project)
    _check_data(project, params, [out for stage in stages.values() for out in stage.outs])
    with tempfile.TemporaryDirectory(prefix="entropyguard-verify-") as folder, owned(Path(folder)):
        copy = Path(folder)
        _copy_definition(project, copy, params)
        _repro(copy, force=True)
        found = _output_differences(project, copy, params)
        differ = {one.stage for one in found}
        if not found:
            return Verdict((), "verified: a rebuild gives every output to the bit")
        if differ & {"ingest", "exact_dedup"} or "embed" not in differ:
            return Verdict(tuple(found), "")
        return _without_equal_bits(project, copy, params)


def _check_data(project: Path, params: Params, outs: list[str]) -> None:
    missing = [] if input_files(project, params) else [params.input]
    missing += [out for out in outs if out != METRICS and not (project / out).is_file()]
    if missing:
        raise InputError(
            f"{', '.join(missing)}: not in {project}, and --strict compares the data themselves. "
            "Run `dvc pull` first (in a checkpoint dir: a run with --resume)."
        )


def _copy_definition(project: Path, copy: Path, params: Params) -> None:
    """Make `copy` a project with the same definition, parameters and links to the same input, and nothing built."""
    sources = find_sources(str(project / params.input))
    moved = dataclasses.replace(params, input=input_param(sources))
    materialise(copy, moved.as_dict(), sources)
    shutil.copytree(
        project / "stages", copy / "stages", ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True
    )
    declared = load_yaml(project / "dvc.yaml")["stages"]
    ours = {"stages": {stage: declared[stage] for stage in STAGES}}  # not what else the user makes from the result
    write_whole(copy / "dvc.yaml", yaml.safe_dump(ours, sort_keys=False).encode())


def _repro(copy: Path, *, force: bool) -> None:
    # No store of the user's may hand in vectors that were made elsewhere.
    extra = {"ENTROPYGUARD_RUN": uuid.uuid4().hex, "ENTROPYGUARD_VECTOR_CACHE": ""}
    try:
        with watched_progress(copy / FOLDER / "progress.json", quiet=False):
            repro(copy, extra, force=force)
    except StageError as failure:
        raise RunFailedError(f"The rebuild failed: {failure}", failure.exit_code) from failure


def _output_differences(project: Path, copy: Path, params: Params) -> list[Finding]:
    """A finding for every stage that wrote other bytes in the copy; report.json counts only where it is here."""
    findings = []
    for stage in load_stages(copy / "dvc.yaml", params.as_dict()):
        outs = [out for out in stage.outs if (project / out).is_file() or out != METRICS]
        changed = [out for out in outs if content_digest(project / out) != content_digest(copy / out)]
        if changed:
            rows = _told(_differences(project, copy, stage.name)) if _DECIDED.get(stage.name) in changed else ""
            findings.append(Finding(stage.name, f"a rebuild gives another {', '.join(changed)}{rows}"))
    return findings


def _differences(project: Path, copy: Path, stage: str, threshold: float | None = None) -> list[Difference]:
    name = _DECIDED[stage]
    try:
        return decision_differences(project / name, copy / name, threshold)
    except _UNREADABLE:
        return []  # the bytes differ, which is told; what they hold cannot be


def _told(differences: list[Difference]) -> str:
    """The first rows that were decided differently."""
    shown = [str(one) for one in differences[:_SHOWN]]
    more = len(differences) - len(shown)
    return "".join(f"; {one}" for one in shown) + (f"; and {more:,} more" if more else "")


def _without_equal_bits(project: Path, copy: Path, params: Params) -> Verdict:
    """The verdict where the vectors have other bits: rounding, or a real difference."""
    if _same_kind_of_cpu(project, copy):
        reason = "a rebuild on the same kind of CPU, with the same libraries and model, gives another"
        return Verdict((Finding("embed", f"{reason} {_EMBEDDINGS}"),), "")
    distance = _distance(project, copy)
    if distance is None or not distance <= VECTOR_TOLERANCE:
        how = "rows or texts" if distance is None else f"vectors, by up to {distance:.1e}: more than rounding does"
        return Verdict((Finding("embed", f"{_EMBEDDINGS}: a rebuild gives other {how}"),), "")
    decided = _differences(project, copy, "semantic_dedup", params.semantic.dedup_threshold)
    _go_on_from_own_vectors(project, copy)
    found = _output_differences(project, copy, params)
    found += [Finding("semantic_dedup", f"{one}, and rounding does not explain it") for one in decided if not one.why]
    borderline = [Finding("semantic_dedup", f"borderline: {one} ({one.why})") for one in decided if one.why]
    summary = (
        f"verified: rebuilt with other rounding (another kind of CPU or build of torch); vectors differ by up to "
        f"{distance:.1e}, {len(borderline):,} decisions are borderline, all others are the same"
    )
    return Verdict(tuple(found), summary, tuple(borderline))


def _same_kind_of_cpu(project: Path, copy: Path) -> bool:
    """Whether the project's vectors are known to come from an encoder that gives the bits that this machine's gives.

    The vector store keeps each embeddings.parquet under the encoder's fingerprint, which names CPU, libraries and
    model. A clone has no store; there, other bits within rounding are taken for another kind of CPU.
    """
    digest = content_digest(project / _EMBEDDINGS)
    encoders = [path.name for path in (copy / FOLDER / "vectors").iterdir()]
    return any(any((project / FOLDER / "vectors" / name).glob(f"*-{digest}.parquet")) for name in encoders)


def _distance(project: Path, copy: Path) -> float | None:
    try:
        return vector_distance(project / _EMBEDDINGS, copy / _EMBEDDINGS)
    except _UNREADABLE:
        return None


def _go_on_from_own_vectors(project: Path, copy: Path) -> None:
    """Put the project's vectors into the copy as if embed had written them, and run the stages after it."""
    (copy / _EMBEDDINGS).unlink()  # it is a link into the copy's cache
    shutil.copyfile(project / _EMBEDDINGS, copy / _EMBEDDINGS)
    commit(copy, "embed")
    _repro(copy, force=False)
