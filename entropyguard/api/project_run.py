"""A finished run in a checkpoint dir, as a result asks it."""

from __future__ import annotations

from typing import Any

from entropyguard.core.report.lineage import Lineage
from entropyguard.core.storage.files import read_json
from entropyguard.project.layout import REPORT
from entropyguard.project.project import Project
from entropyguard.queries.sweep import Sweep, SweepRequest, sweep


class ProjectAnswers:
    """The answers of a project (see `entropyguard.api.result.Answers`)."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def lineage(self) -> Lineage:
        """What became of every row."""
        return self._project.lineage()

    def report(self) -> dict[str, Any]:
        """What report.json holds."""
        report: dict[str, Any] = read_json(self._project.root / REPORT)
        return report

    def sweep(self, request: SweepRequest) -> Sweep:
        """What other thresholds of a stage would drop."""
        return sweep(self._project, request, lambda _: None)
