"""What a run would do, stage by stage: `--dry-run`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from entropyguard.core.errors import UsageError
from entropyguard.project.linked_input import linked_input
from entropyguard.project.pipeline import packaged_files
from entropyguard.project.project import Project
from entropyguard.project.validity import NEVER_BUILT, OUT_OF_DATE, StageStatus, stage_statuses
from entropyguard.run.request import STDIN, Request
from entropyguard.run.settings import params_of, say_texts
from entropyguard.run.wrong_use import check_request, input_of


def planned(request: Request, say: Callable[[str], None]) -> list[StageStatus]:
    """What a run of `request` would do, stage by stage; nothing is written, no model is downloaded.

    Columns of texts that were found are said, as a run says them.
    """
    check_request(request)
    if request.input == STDIN:
        raise UsageError("--dry-run needs a file: reading standard input would use it up.")
    sources = input_of(request).sources
    chosen = params_of(request, sources)
    say_texts(request, chosen, say)
    params = chosen.as_dict()
    project = Project(request.checkpoint_dir or Path("/nonexistent"))
    change = linked_input(sources).change(project)
    statuses = stage_statuses(project, packaged_files(), params, change)
    if request.resume or request.checkpoint_dir is None:
        return statuses
    reason = "a run without --resume builds everything"
    return [
        status if status.state == NEVER_BUILT else StageStatus(status.stage, OUT_OF_DATE, reason) for status in statuses
    ]
