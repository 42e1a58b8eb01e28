"""A unit, done by another process: what it came to or why not, as bytes that any process of ours can read."""

from __future__ import annotations

import os
import pickle
import traceback
from functools import lru_cache
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


def packed(content: Any) -> bytes:
    """A unit, or what is to be done with units: classes and functions are found by their names where it is unpacked."""
    return pickle.dumps(content)


def attempt(work: bytes, unit: bytes) -> bytes:
    """Do a unit. Nothing that goes wrong in it goes further than into the answer."""
    os.environ.update(ONE_CORE)  # a process of Ray's is not ours to start
    try:
        return pickle.dumps((True, _unpacked(work)(pickle.loads(unit), silent)))  # noqa: S301  from who started us
    except Exception as error:  # noqa: BLE001  the rim of the process
        if not isinstance(error, EntropyguardError):
            error.add_note("".join(traceback.format_exception(error)))
        return pickle.dumps((False, _portable(error)))


@lru_cache(2)
def _unpacked(work: bytes) -> Any:
    return pickle.loads(work)  # noqa: S301  from who started us


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
