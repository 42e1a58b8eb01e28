"""Python loads this at the start of every process whose PYTHONPATH names this folder: units are small in there.

So some hundred rows are several units in each stage. The bytes of the outputs must not hang on it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import FunctionType, ModuleType
from typing import Any

_SMALL: dict[str, dict[str, Any]] = {
    "entropyguard.core.ingest.ingest": {"unit_bytes": 4_000},
    "entropyguard.core.near.near_dedup": {"_POOL_GAINS_ABOVE_ROWS": 0},
    "entropyguard.core.near.text_units": {"UNIT_ROWS": 50},
    "entropyguard.core.near.band_units": {"_UNIT_HASHES": 1_000},
    "entropyguard.core.embed.embed": {"unit_rows": 12},
    "entropyguard.core.pairs.similar_pairs": {"sizes": None},
    "entropyguard.core.semantic.semantic": {"unit_pairs": 10, "_POOL_GAINS_ABOVE_ROWS": 0},
    "entropyguard.core.export.writers": {"unit_bytes": 4_000},
}
"""By module what is set: a name of its own, or the default of a parameter of its functions."""


class _Small(Loader):
    def __init__(self, loader: Loader, values: dict[str, Any]) -> None:
        self._loader, self._values = loader, values

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        for name, small in self._values.items():
            value = module.SearchSizes(block_rows=16) if name == "sizes" else small
            if hasattr(module, name):
                setattr(module, name, value)
            for function in vars(module).values():
                if isinstance(function, FunctionType) and function.__defaults__:
                    _set_default(function, name, value)


def _set_default(function: FunctionType, name: str, value: Any) -> None:
    code = function.__code__
    defaults = function.__defaults__ or ()
    with_defaults = code.co_varnames[code.co_argcount - len(defaults) : code.co_argcount]
    function.__defaults__ = tuple(
        value if one == name else default for one, default in zip(with_defaults, defaults, strict=True)
    )


class _Finder(MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name in _SMALL else None
        if spec is not None and spec.loader is not None:
            spec.loader = _Small(spec.loader, _SMALL[name])
        return spec


sys.meta_path.insert(0, _Finder())
