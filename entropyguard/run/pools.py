"""Where the units of a run's stages are done: from what the command line was asked for to a pool in the stage."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from entropyguard.core.pool.local import LocalPool, usable_cores
from entropyguard.core.pool.pool import InlinePool

if TYPE_CHECKING:
    from entropyguard.core.pool.pool import Pool
    from entropyguard.run.request import Request

_WORKERS = "ENTROPYGUARD_WORKERS"


def pool_variables(request: Request) -> dict[str, str]:
    """What the stages' environment says of it."""
    return {} if request.workers is None else {_WORKERS: str(request.workers)}


def gains(pool: Pool, threads: int) -> bool:
    """Whether units in the pool are done sooner than what a stage does with so many threads of its own."""
    return not isinstance(pool, InlinePool) and not (isinstance(pool, LocalPool) and pool.workers <= threads)


def pool_of_environment() -> Pool:
    """The pool of a stage; nothing is started before there is work for it."""
    workers = int(os.environ[_WORKERS]) if _WORKERS in os.environ else usable_cores()
    return InlinePool() if workers == 1 else LocalPool(workers)
