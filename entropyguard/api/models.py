"""The model that was used last, which stays loaded: the next call most often wants the same one."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from entropyguard.core.embed.encoder import Encoder

_Key = tuple[Path, str, int | None]

_lock = threading.Lock()
_last: dict[_Key, Encoder] = {}
"""One at the most."""


def loaded(folder: Path, fingerprint: str, threads: int | None) -> Encoder:
    """The encoder of a model folder whose files have this fingerprint; the one before it is let go.

    Calls at the same time share it.
    """
    from entropyguard.core.embed.loader import load_encoder

    key = (folder, fingerprint, threads)
    with _lock:
        if key not in _last:
            _last.clear()
            _last[key] = load_encoder(folder, threads)
        return _last[key]


def _forget() -> None:
    """A forked process has the model, but not the threads that work with it, nor who holds the lock."""
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()
    _last.clear()


os.register_at_fork(after_in_child=_forget)


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
