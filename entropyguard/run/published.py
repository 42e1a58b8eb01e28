"""Which output was published last, so that a run with nothing to do does not copy gigabytes that are there already."""

from __future__ import annotations

import os
from pathlib import Path

from entropyguard.core.storage.files import FileState, read_json, write_json
from entropyguard.project.records import FOLDER, find_record
from entropyguard.run.publish import STDOUT, publish


def publish_once(project: Path, built: str, output: str) -> None:
    """Publish a checkpoint, unless `output` is the file that was published from the same bytes, untouched since."""
    record, note = find_record(project, built), project / FOLDER / "published.json"
    known = read_json(note)
    if record is None or known is None or known != _seen(output, record.entry["digest"]):
        note.unlink(missing_ok=True)
        publish(project / built, output)
        seen = None if record is None else _seen(output, record.entry["digest"])
        if seen is not None:
            write_json(note, seen)


def _seen(output: str, digest: str) -> dict[str, object] | None:
    """What tells a published file from any other; None where there is no plain file."""
    path = Path(output)
    if output == STDOUT or not path.is_file():
        return None
    return {"output": os.path.abspath(path), "digest": digest, "state": FileState.of(path).as_dict()}  # noqa: PTH100
