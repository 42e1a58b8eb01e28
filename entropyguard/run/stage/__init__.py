"""What a stage script takes from here, and where its work is done: in a process that is ready for it, or in its own.

Nothing is imported here but what that decision takes: a script whose work another process does ends a moment later.
"""

from __future__ import annotations

from entropyguard.run.stage.handover import hand_over

TYPE_CHECKING = False  # `typing` takes longer to load than all that is needed here
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from entropyguard.run.stage.project_run import ProjectRun
    from entropyguard.run.stage_run import Counts, StageRun

__all__ = ["Counts", "StageRun", "run_stage"]


def run_stage(name: str, version: int, work: Callable[[ProjectRun], Counts]) -> None:
    """Run a stage script's `work` in the current directory and exit with its exit code.

    Under the command line a process that has all the libraries loaded does it (see `host`), by the same script.
    """
    hand_over()
    from entropyguard.run.stage.here import run_here  # numpy, pyarrow and all of ours: for work done here

    run_here(name, version, work)


def __getattr__(name: str) -> Any:
    # Scripts take what they give types with from here; those of version 2.0 when they run.
    if name in {"Counts", "StageRun"}:
        from entropyguard.run import stage_run

        return getattr(stage_run, name)
    if name == "ProjectRun":
        from entropyguard.run.stage.project_run import ProjectRun

        return ProjectRun
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
