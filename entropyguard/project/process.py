"""`python -m entropyguard.project.process ARGUMENTS`: DVC, as a build needs it.

The kernel ends it when the command line is killed, and it writes `dvc.lock` whole or not at all.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import io
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from yaml import YAMLError

from entropyguard.core.storage.files import write_whole
from entropyguard.core.yaml_text import dump_yaml, parse_yaml
from entropyguard.project.beside import process_beside
from entropyguard.project.full_disk import end_on_full_disk

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Let the kernel kill this process when its parent dies: no orphan works on beside the next run (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def collect_rarely() -> None:
    """Look for garbage after 100,000 new objects, not 700: nearly all of them are modules, and these stay."""
    gc.set_threshold(100_000, 50, 50)


def end_at_once(code: int) -> NoReturn:
    """End this process, its streams written out, without taking its modules apart: torch's alone take half a second.

    Whatever has to be closed must be closed before.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def write_lock_whole() -> None:
    """Let DVC, in this process, write `dvc.lock` under a temporary name and rename it into place.

    DVC opens the file itself for writing, so a kill may leave it cut off, and DVC would then do nothing at all.
    Read in DVC 3.67.1: `Lockfile.dump_stages` writes through `modify_yaml`, and that through this one function.
    """
    from dvc.utils.serialize import _common, _yaml

    in_python = _yaml._dump

    def dump_data(path: str, data: Any, dumper: Callable[[Any, io.StringIO], Any], **_: Any) -> None:
        if dumper is in_python:  # ten times as long
            with contextlib.suppress(YAMLError):  # a value of another kind
                write_whole(Path(path), dump_yaml(data))
                return
        content = io.StringIO()
        dumper(data, content)
        write_whole(Path(path), content.getvalue().encode())

    if not callable(getattr(_common, "_dump_data", None)):
        sys.exit("ERROR: this DVC writes dvc.lock in another way than 3.67. Install dvc>=3.67,<3.68.")
    _common._dump_data = dump_data


def read_yaml_fast() -> None:
    """Let DVC, in this process, read its YAML files by libyaml: its own reader, in Python, takes ten times as long.

    It reads `params.yaml` three times for each stage, and `dvc.lock` to add a stage to it.
    Read in DVC 3.67.1: `load_yaml`, `modify_yaml` and `strictyaml.load` find their parser by these three names.
    """
    from dvc.utils import strictyaml
    from dvc.utils.serialize import _yaml

    dvcs_own, modify = _yaml.parse_yaml, _yaml._modify_data

    def parse(text: str, path: str, typ: str = "safe") -> Any:
        if typ == "safe":
            with contextlib.suppress(YAMLError, ValueError):  # DVC then says what is wrong, in its own words
                return parse_yaml(text) or {}
        return dvcs_own(text, path, typ)

    _yaml.parse_yaml = strictyaml.parse_yaml = parse
    _yaml._modify_data = lambda path, _, dumper, fs=None: modify(path, parse, dumper, fs)


def main() -> None:
    """Run DVC's own command line."""
    die_with_parent()
    if os.environ.get("ENTROPYGUARD_PARENT") not in (None, str(os.getppid())):
        sys.exit(255)  # the parent died before the kernel was told to watch it
    collect_rarely()
    with process_beside():  # it starts while DVC is imported
        write_lock_whole()
        read_yaml_fast()
        end_on_full_disk()
        from dvc.cli import main as dvc

        code = dvc(sys.argv[1:])
    end_at_once(code)


if __name__ == "__main__":
    main()
