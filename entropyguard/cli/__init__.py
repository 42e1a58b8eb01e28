"""The command line: flags in, lines out."""

from __future__ import annotations

import sys

from entropyguard.cli.interrupt import Interrupted, raise_when_interrupted
from entropyguard.run.ahead import start_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command line and exit with the documented exit code."""
    raise_when_interrupted()
    arguments = sys.argv[1:]
    try:
        start_for(arguments)
        from entropyguard.cli.app import run_flags  # which takes half as long to import as a small run takes

        run_flags(arguments)
    except (Exception, Interrupted) as problem:  # noqa: BLE001  the rim of the process: all of them end in an exit code
        from entropyguard.cli.endings import end

        end(problem, verbose=any(flag in arguments for flag in ("--verbose", "-v")))
    raise SystemExit(0)
