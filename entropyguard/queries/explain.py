"""What became of rows, for a project as a user names it."""

from __future__ import annotations

from collections.abc import Iterator

from entropyguard.core.errors import UsageError
from entropyguard.core.report.explain import explain, sample_dropped
from entropyguard.core.report.explanation import Explanation
from entropyguard.project.project import Project

_SEED = 0


def explanations(project: Project, row: int | None, random: int) -> Iterator[Explanation]:
    """The explanation of one row, or of some dropped rows, drawn the same way every time."""
    if (row is None) == (random == 0):
        raise UsageError("Name a row id, or --random N: `entropyguard explain 17`.")
    lineage = project.lineage()
    for one in [row] if row is not None else sample_dropped(lineage, random, _SEED):
        yield explain(lineage, one)
