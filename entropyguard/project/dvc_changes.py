"""What DVC does otherwise in a process of ours: it writes `dvc.lock` whole, and does not do what no build needs.

Each is one name of DVC 3.67's that is replaced; what it does there was read in 3.67.1. A user's own `dvc` is as it was.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from yaml import YAMLError

from entropyguard.core.storage.files import write_whole
from entropyguard.core.yaml_text import dump_yaml, parse_yaml
from entropyguard.project.full_disk import end_on_full_disk

_MODULES = (
    *("dvc.cachemgr", "dvc.data_cloud", "dvc.dirs", "dvc.repo.artifacts", "dvc.repo.datasets", "dvc.repo.graph"),
    *("dvc.repo.index", "dvc.repo.metrics", "dvc.repo.params", "dvc.repo.plots", "dvc.repo.stage", "dvc.repo.trie"),
    *("dvc.rwlock", "dvc.scm", "dvc.types", "dvc.utils.strictyaml", "dvc_data.hashfile.db.local"),
    *("dvc_data.hashfile.status", "configobj", "networkx", "platformdirs", "psutil", "pyparsing", "zc.lockfile"),
)
"""What DVC imports to reproduce a pipeline: of these each brings many others along."""


def change_dvc() -> None:
    """Let DVC, in this process, do all of this."""
    write_lock_whole()
    read_yaml_fast()
    keep_databases_open()
    save_no_runs()
    lock_no_files()
    end_on_full_disk()


def import_ahead() -> None:
    """Import what DVC would import by and by, once it is told what to do."""
    for module in _MODULES:
        importlib.import_module(module)


def write_lock_whole() -> None:
    """Write `dvc.lock` under a temporary name and rename it into place.

    DVC opens the file itself for writing, so a kill may leave it cut off, and DVC would then do nothing at all.
    `Lockfile.dump_stages` writes through `modify_yaml`, and that through this one function.
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
    """Read YAML files by libyaml: DVC's own reader, in Python, takes ten times as long.

    It reads `params.yaml` three times for each stage, and `dvc.lock` to add a stage to it.
    `load_yaml`, `modify_yaml` and `strictyaml.load` find their parser by these three names.
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


def keep_databases_open() -> None:
    """Leave the databases of hashes and links open: DVC closes them around each stage and after each output it links.

    With each close SQLite moves a few rows from its log into the database, and waits for the disk three times. A log
    that is left behind is what a killed process leaves too: who opens the database next reads it.
    """
    from dvc_data.hashfile.cache import Cache
    from dvc_data.hashfile.state import State

    Cache.__exit__ = lambda self, *_: None  # noqa: ARG005
    State.close = lambda self: None  # type: ignore[method-assign]  # noqa: ARG005


def save_no_runs() -> None:
    """Keep no run cache: what is in it is restored by no build, and `cache.free_unused` removes it.

    With it DVC puts the outputs that it is told not to cache into the cache, from where a deleted one is brought back.
    """
    from dvc.stage.cache import StageCache
    from dvc.stage.serialize import to_single_stage_lockfile

    def save(self: StageCache, stage: Any) -> None:
        if not all(out.use_cache for out in stage.outs):
            for out in self._uncached_outs(stage, to_single_stage_lockfile(stage)):
                out.commit()

    StageCache.save = save


def lock_no_files() -> None:
    """Keep no list of the files that are being read and written: DVC rewrites it twenty times for each stage.

    It would keep another DVC from the same files. A build owns its dir, and each stage owns it while it runs.
    """
    from dvc import rwlock

    rwlock.rwlock = lambda *_: contextlib.nullcontext()
