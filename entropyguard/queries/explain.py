"""What became of rows, for a project as a user names it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from entropyguard.core.errors import UsageError
from entropyguard.core.ingest.inputs import find_sources
from entropyguard.core.params import Params
from entropyguard.core.report.explain import Explanation, explain, sample_dropped
from entropyguard.core.storage.files import read_json
from entropyguard.project.records import FOLDER

_SEED = 0


def explanations(project: Path, row: int | None, random: int) -> Iterator[Explanation]:
    """The explanation of one row, or of some dropped rows, drawn the same way every time."""
    if (row is None) == (random == 0):
        raise UsageError("Name a row id, or --random N: `entropyguard explain 17`.")
    if not (project / "params.yaml").is_file():
        raise UsageError(f"{project} holds no entropyguard pipeline. Name a --checkpoint-dir.")
    names = input_names(project)
    rows = [row] if row is not None else sample_dropped(project, random, _SEED)
    for one in rows:
        yield explain(project, names, one)


def input_names(project: Path) -> list[str]:
    """The input files in the order of their ordinals, as the user named them."""
    recorded = read_json(project / FOLDER / "inputs.json")
    if recorded:
        return [str(name) for name in recorded["names"]]
    sources = find_sources(str(project / Params.load(project / "params.yaml").input))
    # A run that did not end well recorded no names; its checkpoint dir links to what the user named.
    linked = project / "inputs"
    return [str(one.path.readlink() if one.path.parent == linked else one.path) for one in sources]
