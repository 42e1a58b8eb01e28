"""How a run that did not go well ends: the message, then how to go on, as the last lines; and the exit code."""

from __future__ import annotations

import sys
import traceback
from typing import NoReturn

from entropyguard.cli.flags import REFUSED, path_error
from entropyguard.cli.interrupt import Interrupted
from entropyguard.core.errors import EntropyguardError, InternalError, OutputError
from entropyguard.core.visible import visible


def end(problem: BaseException, *, verbose: bool) -> NoReturn:
    """Print what happened and what was noted on the problem on its way, and exit with the documented code.

    verbose: where it happened, too.
    """
    message, exit_code = _said(problem)
    trace = [traceback.format_exc().rstrip()] if verbose and isinstance(problem, Exception) else []
    # How to go on comes last, so that nobody overlooks it.
    for line in [*trace, f"entropyguard: {message}", *getattr(problem, "__notes__", [])]:
        sys.stderr.write(visible(line) + "\n")
    raise SystemExit(exit_code)


def _said(problem: BaseException) -> tuple[str, int]:
    """The message and the exit code."""
    if isinstance(problem, Interrupted):
        return f"interrupted by {problem}; finished work is kept.", problem.exit_code
    if isinstance(problem, BrokenPipeError):
        return "stdout was closed before everything was printed.", OutputError.exit_code
    if isinstance(problem, OSError) and problem.errno in REFUSED:
        problem = path_error(problem)
    if isinstance(problem, EntropyguardError):
        return str(problem), problem.exit_code
    bug = f"{type(problem).__name__}: {problem}. This is a bug; --verbose shows where."
    return bug, InternalError.exit_code
