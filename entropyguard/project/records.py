"""What each stage leaves beside its checkpoints, in `.entropyguard/<stage>.json`.

A sidecar is renamed into place as a stage's last act. It says what was written (digest and file state of each
output), from which inputs, how long it took and how much memory. It is no DVC out: it holds clocks. With it a
checkpoint that changed behind our back is found without reading the ones that did not change.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xxhash

from entropyguard.core.storage.files import FileState, content_digest, md5_digest, read_json, write_json
from entropyguard.project.pipeline import STAGES, load_lock

FOLDER = ".entropyguard"


def sidecar_path(project: Path, stage: str) -> Path:
    """Where the stage's sidecar lies."""
    return project / FOLDER / f"{stage}.json"


def read_sidecar(project: Path, stage: str) -> dict[str, Any] | None:
    """A stage's sidecar, or None where there is no readable one."""
    content = read_json(sidecar_path(project, stage))
    sound = isinstance(content, dict) and content.pop("digest", None) == _digest(content)
    return content if sound else None


def write_sidecar(project: Path, stage: str, content: dict[str, Any]) -> None:
    """Put a stage's sidecar in place, with a digest of itself."""
    write_json(sidecar_path(project, stage), {**content, "digest": _digest(content)})


def _digest(content: dict[str, Any]) -> str:
    return xxhash.xxh3_128_hexdigest(json.dumps(content, sort_keys=True).encode())


def describe_output(path: Path) -> dict[str, Any]:
    """The sidecar's entry for an output: digest, size, state, and rows of a Parquet file."""
    return {
        "digest": content_digest(path),
        "bytes": path.stat().st_size,
        "rows": _rows(path),
        "state": FileState.of(path).as_dict(),
    }


def _rows(path: Path) -> int | None:
    if path.suffix != ".parquet":
        return None

    return Checkpoint(path).rows


def first_rows(sidecar: dict[str, Any]) -> int | None:
    """Rows of the stage's first Parquet output; None where it wrote none."""
    return next((output["rows"] for output in sidecar["outputs"].values() if output["rows"] is not None), None)


@dataclass(frozen=True)
class Recorded:
    """The sidecar that speaks for an output, and its entry there."""

    stage: str
    sidecar: dict[str, Any]
    entry: dict[str, Any]


def find_record(project: Path, output: str) -> Recorded | None:
    """What was recorded of an output, by whichever stage wrote it."""
    for stage in STAGES:
        sidecar = read_sidecar(project, stage)
        if sidecar and output in sidecar["outputs"]:
            return Recorded(stage, sidecar, sidecar["outputs"][output])
    return None


def is_damaged(project: Path, output: str) -> bool:
    """Whether an existing output differs from what was written; nothing is changed.

    Unchanged inode, size, mtime and ctime answer at once. Else the content decides: it must be what the stage
    wrote, or what `dvc.lock` records (after `dvc checkout` or `dvc pull` another version lies there rightly).
    """
    path = project / output
    record = find_record(project, output)
    if record is not None:
        if FileState.of(path).as_dict() == record.entry["state"] or content_digest(path) == record.entry["digest"]:
            return False
        return md5_digest(path) != _locked_md5(project, output)
    locked = _locked_md5(project, output)
    return locked is not None and md5_digest(path) != locked


def remember_state(project: Path, output: str) -> None:
    """Note the present state of a sound output, so that it need not be read again while it stays untouched.

    DVC links every new output into its cache, which changes the ctime.
    """
    record = find_record(project, output)
    state = FileState.of(project / output).as_dict()
    if record is not None and record.entry["state"] != state:
        # Not always what the stage wrote: `dvc checkout` may rightly have put another version there.
        same = content_digest(project / output) == record.entry["digest"]
        record.entry.update({"state": state} if same else describe_output(project / output))
        write_sidecar(project, record.stage, record.sidecar)


def _locked_md5(project: Path, output: str) -> str | None:
    for stage in load_lock(project).values():
        if output in stage.outs:
            return stage.outs[output]
    return None
