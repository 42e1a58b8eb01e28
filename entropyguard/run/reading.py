"""What a run read and what it did not, and where the rows stand that could not be read."""

from __future__ import annotations

import dataclasses
import filecmp
import os
import shutil
import tempfile
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entropyguard.core.report.rejected import first_rejected, rejected_line, write_rejected
from entropyguard.core.storage.remote import is_url
from entropyguard.project.layout import REJECTED
from entropyguard.project.project import Project
from entropyguard.run.publish import whole_file
from entropyguard.run.request import Request
from entropyguard.run.streams import is_stream
from entropyguard.run.targets import would_be_read

if TYPE_CHECKING:
    from entropyguard.core.ingest.inputs import FoundInput


@dataclasses.dataclass(frozen=True)
class Reading:
    """`files` read; `skipped` paths with the reason; `partitions`: folders that stand for columns, one each.

    `notes` say so in lines; `rejected`: a line about the rows that could not be read and one with where they stand,
    nothing where there are none.
    """

    files: int
    skipped: list[dict[str, str]]
    partitions: list[str]
    notes: list[str]
    rejected: list[str] = dataclasses.field(default_factory=list)
    rejected_rows: str | None = None
    """The file that holds them."""

    def lines(self) -> list[str]:
        """All there is to say."""
        return [*self.notes, *self.rejected]

    def as_dict(self) -> dict[str, Any]:
        """What --json says of it."""
        told = ("files", "skipped", "partitions", "rejected_rows")
        return {name: getattr(self, name) for name in told}


def reading_of(found: FoundInput) -> Reading:
    """What is known of the reading before any row is read."""
    from entropyguard.core.ingest.reading_notes import reading_notes

    skipped = [{"path": str(one.path), "reason": one.reason} for one in found.skipped]
    return Reading(len(found.sources), skipped, found.partitions, reading_notes(found))


def with_rejected(
    reading: Reading, project: Project, request: Request, names: list[str], rows: dict[str, Any]
) -> Reading:
    """The reading with the rejected rows of a finished run, which are kept where the user finds them."""
    rejected = project.root / REJECTED
    first = first_rejected(rejected, project.params.ingest.required_columns)
    if first is None:
        return reading
    line = rejected_line(rows["rejected"], rows["in"], first, f"{names[first.file]}, line {first.line}")
    if request.checkpoint_dir is not None:
        where = str(request.checkpoint_dir / REJECTED)
    elif request.audit_log is not None:
        where = request.audit_log
    else:
        where = str(_kept(rejected, request, names))
    return dataclasses.replace(reading, rejected=[line, f"all rejected rows stand in {where}"], rejected_rows=where)


def _kept(rejected: Path, request: Request, names: list[str]) -> Path:
    """A copy of the rejected rows beside the output, or in the system's temporary folder where that is no file here."""
    output = Path(request.output)
    if is_stream(request.output) or is_url(request.output):
        handle, name = tempfile.mkstemp(prefix="entropyguard-rejected-", suffix=".jsonl")
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            write_rejected(rejected, names, out)
        return Path(name)
    named = rejected.with_name("rejected-with-names.jsonl")  # in a private dir, which goes with the run
    with named.open("w", encoding="utf-8") as out:
        write_rejected(rejected, names, out)
    for number in count(1):
        path = _beside(output, request.input, "" if number == 1 else f"-{number}")
        if path.is_file() and filecmp.cmp(path, named, shallow=False):
            return path
        if not os.path.lexists(path):
            with whole_file(path, "--output") as temporary:
                shutil.copyfile(named, temporary)
            break
    return path


def _beside(output: Path, spec: str, number: str) -> Path:
    """A name beside the output that is no part of the input on the next run."""
    path = output.with_name(f"{output.name}.rejected{number}.jsonl")
    return path.with_suffix("") if would_be_read(str(path), spec) else path
