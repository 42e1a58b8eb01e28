"""pyarrow without pandas, in processes that are this package's own."""

from __future__ import annotations

import sys

_ASKED_FOR_BY = ("entropyguard", "pyarrow", "__main__")


class _NoPandas:
    """A finder of modules that says pandas is not installed, to those who have no use for it."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:  # noqa: ARG004  the protocol's
        if name != "pandas":
            return
        frame = sys._getframe(1)
        while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("importlib"):
            frame = frame.f_back
        # pyarrow is compiled: what it asks for is asked for by the module that called it.
        if frame.f_globals.get("__name__", "").partition(".")[0] in _ASKED_FOR_BY:
            raise ModuleNotFoundError("pyarrow does without it here", name=name)


def leave_pandas_out() -> None:
    """Keep pyarrow from loading pandas, as it does with its first array where pandas is installed: that takes 0.3 s.

    Others may load it: sentence-transformers does for some models.
    """
    sys.meta_path.insert(0, _NoPandas)
