"""What each stage leaves beside its checkpoints, in `.entropyguard/<stage>.json`.

A record is renamed into place as a stage's last act. It says what was written (digest and file state of each output),
from which inputs, how long it took and how much memory. It is no DVC out: it holds clocks. With it a checkpoint that
changed behind our back is found without reading the ones that did not change.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import xxhash

from entropyguard.core.storage.files import FileState, content_digest, read_json, write_json
from entropyguard.core.storage.watch import Seen


@dataclass
class Output:
    """An output as it was written; rows: of a Parquet file."""

    digest: str
    bytes: int
    rows: int | None
    state: dict[str, int]

    @classmethod
    def of(cls, path: Path) -> Output:
        """The output that lies there now."""
        return cls(content_digest(path), path.stat().st_size, _rows(path), FileState.of(path).as_dict())


def _rows(path: Path) -> int | None:
    if path.suffix != ".parquet":
        return None
    from entropyguard.core.storage.checkpoint import Checkpoint  # pyarrow, where a file is new or another one

    return Checkpoint(path).rows


@dataclass
class Record:
    """A stage's last run. run: the command line's id of it. inputs: the files it read as they were, by their paths."""

    stage: str
    version: int
    run: str
    finished_at: float
    seconds: float
    peak_bytes: int
    model_fingerprint: str
    counts: dict[str, int]
    inputs: dict[str, Seen]
    outputs: dict[str, Output]

    @property
    def rows(self) -> int | None:
        """Rows of the stage's first Parquet output; None where it wrote none."""
        return next((output.rows for output in self.outputs.values() if output.rows is not None), None)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def read_record(path: Path) -> Record | None:
    """The record in a file, or None where there is no sound one."""
    content = read_json(path)
    if not isinstance(content, dict) or content.pop("digest", None) != _digest(content):
        return None
    try:
        outputs = {name: Output(**one) for name, one in content["outputs"].items()}
        inputs = {path: Seen(**one) for path, one in content["inputs"].items()}
        return Record(**{**content, "inputs": inputs, "outputs": outputs})
    except (AttributeError, KeyError, TypeError):  # of a version that wrote others
        return None


def write_record(path: Path, record: Record) -> None:
    """Put a record in place, with a digest of itself."""
    content = record.as_dict()
    write_json(path, {**content, "digest": _digest(content)})


def _digest(content: dict[str, Any]) -> str:
    return xxhash.xxh3_128_hexdigest(json.dumps(content, sort_keys=True).encode())
