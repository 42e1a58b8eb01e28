"""A process that becomes a script, as if Python had been started with it."""

from __future__ import annotations

import os
import runpy
import sys
import traceback
from typing import TYPE_CHECKING, NoReturn

from entropyguard.project.process import end_at_once

if TYPE_CHECKING:
    from entropyguard.project.requests import Request


def run_as_script(request: Request) -> NoReturn:
    """Run a script in its folder and environment, on its streams, and end with its exit code."""
    request.become()
    folder = os.path.dirname(os.path.abspath(sys.argv[0]))  # noqa: PTH100, PTH120  links stay
    sys.path.insert(0, folder)
    code = 0
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        code = _exit_code(end)
    except BaseException:  # noqa: BLE001  the rim of the process
        traceback.print_exc()
        code = 1
    end_at_once(code)


def _exit_code(end: SystemExit) -> int:
    """What Python ends with for what `sys.exit` was given."""
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    sys.stderr.write(f"{end.code}\n")
    return 1
