"""Where the units of a run's stages are done: from what the command line was asked for to a pool in the stage."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from entropyguard.core.errors import UsageError
from entropyguard.core.pool.cluster import LOCAL, REFUSAL
from entropyguard.core.pool.local import LocalPool

if TYPE_CHECKING:
    from entropyguard.core.pool.pool import Pool

_WORKERS, _RAY = "ENTROPYGUARD_WORKERS", "ENTROPYGUARD_RAY"


def check_pool(workers: int | None, ray: str | None) -> None:
    """UsageError for a Ray that cannot be used as it is asked for."""
    if ray is None:
        return
    from entropyguard.core.pool.ray_connection import check_ray  # only for those who ask for it

    check_ray(ray)
    if workers is not None and ray != LOCAL:
        raise UsageError(
            f"--workers is for this machine, and with --ray {ray} it is the nodes that say how many cores they "
            "have. Leave one of them out."
        )


def pool_variables(workers: int | None, ray: str | None) -> dict[str, str]:
    """What the stages' environment says of it."""
    said = {_WORKERS: workers, _RAY: ray}
    return {name: str(value) for name, value in said.items() if value is not None}


def pool_of_environment(folder: Path, tell: Callable[[str], None]) -> Pool:
    """The pool of a stage; nothing is started before there is work for it.

    folder: one of the stage's own, which all nodes of a cluster share. tell: hears which of them is refused, and why.
    """
    workers = int(os.environ[_WORKERS]) if _WORKERS in os.environ else None
    address = os.environ.get(_RAY)
    if not address:
        return LocalPool(workers)
    from entropyguard.core.pool.ray_connection import check_ray
    from entropyguard.core.pool.ray_pool import RayPool

    check_ray(address)
    return RayPool(address, folder, tell, workers)


def refusals(log: str) -> list[str]:
    """Of what stages said, which nodes are refused, and why: each once, however many stages asked them."""
    lines = (line.removeprefix("entropyguard: ") for line in log.splitlines())
    return list(dict.fromkeys(line for line in lines if line.startswith(REFUSAL)))
