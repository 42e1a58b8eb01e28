"""A unit, done by another process: what it came to or why not, as bytes that any process of ours can read."""

from __future__ import annotations

import pickle
import traceback
from typing import Any

from entropyguard.core.errors import EntropyguardError
from entropyguard.core.pool.cluster import Done, Failed
from entropyguard.core.progress import silent

ONE_CORE = dict.fromkeys(
    (
        "OMP_NUM_THREADS",  # torch, arrow, OpenBLAS, faiss
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "POLARS_MAX_THREADS",
        "RAYON_NUM_THREADS",  # tokenizers
    ),
    "1",
)
"""The environment of a process that is to use one core, since others use the others; read when a library is loaded."""


def packed(work: Any, unit: Any) -> bytes:
    """A unit and what is to be done with it; both are found by their names where they are unpacked."""
    return pickle.dumps((work, unit))


def attempt(content: bytes) -> bytes:
    """Do a packed unit. Nothing that goes wrong in it goes further than into the answer."""
    try:
        work, unit = pickle.loads(content)  # noqa: S301  from the process that started this one
        return pickle.dumps((True, work(unit, silent)))
    except Exception as error:  # noqa: BLE001  the rim of the process
        if not isinstance(error, EntropyguardError):
            error.add_note("".join(traceback.format_exception(error)))
        return pickle.dumps((False, _portable(error)))


def answered(task: int, answer: bytes) -> Done | Failed:
    """What `attempt` says of a task."""
    good, value = pickle.loads(answer)  # noqa: S301  from a process that this one started
    return Done(task, value) if good else Failed(task, value)


def _portable(error: Exception) -> Exception:
    """The error, or its words where it cannot be pickled."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301
    except Exception:  # noqa: BLE001  whatever a class of somebody else's does there
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
