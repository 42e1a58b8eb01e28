"""torch's settings, which are its user's: a call of `dedup` leaves them as they were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def torch_threads_kept(*, loads_torch: bool) -> Iterator[None]:
    """torch's number of threads as it was: the workers of an encoder set it, for every thread that is yet to come."""
    import sys

    if not loads_torch and "torch" not in sys.modules:
        yield
        return
    import torch

    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)
