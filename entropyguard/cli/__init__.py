"""The command line: flags in, lines out."""

from __future__ import annotations

import sys

from entropyguard.run.ahead import start_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command line and exit with the documented exit code."""
    start_for(sys.argv[1:])
    from entropyguard.cli.app import main as run_flags  # which takes half a second to import

    run_flags()
