"""Where the units of a run's stages are done: from what the command line was asked for to a pool in the stage."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from entropyguard.core.pool.local import LocalPool

if TYPE_CHECKING:
    from entropyguard.core.pool.pool import Pool
    from entropyguard.run.request import Request

_WORKERS = "ENTROPYGUARD_WORKERS"


def pool_variables(request: Request) -> dict[str, str]:
    """What the stages' environment says of it."""
    return {} if request.workers is None else {_WORKERS: str(request.workers)}


def pool_of_environment() -> Pool:
    """The pool of a stage; nothing is started before there is work for it."""
    return LocalPool(int(os.environ[_WORKERS]) if _WORKERS in os.environ else None)
