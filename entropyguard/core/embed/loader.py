"""A model folder as an encoder, whichever kind of model it is; and the same encoder in another process."""

from __future__ import annotations

import copyreg
import os
import threading
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entropyguard.core.embed.encoder import Encoder
from entropyguard.core.embed.model import is_static, model_fingerprint, name_of, resolve_model
from entropyguard.core.errors import ProcessingError
from entropyguard.core.pool.pool import Fact

if TYPE_CHECKING:
    from entropyguard.core.embed.static import StaticEncoder
    from entropyguard.core.embed.transformer import TransformerEncoder


_MODEL = "model's fingerprint"  # a processor has a fact "model", too

_lock = threading.Lock()
_last: dict[tuple[Path, str, int | None], Encoder] = {}
"""One at the most."""


def load_encoder(folder: Path, threads: int | None = None) -> Encoder:
    """The encoder of a model folder (see `resolve_model`): static (model2vec) or transformer.

    threads: how many the transformer may use (None: all); changes no bit of a vector. What pickle takes of an encoder
    is the model's name: another process, be it on another machine, loads its own, once.
    """
    encoder = _loaded(folder, threads)
    copyreg.pickle(type(encoder), _sent)
    return encoder


def last_loaded(folder: Path, threads: int | None = None) -> Encoder:
    """`load_encoder`, or the same encoder again where it was the last one asked for here, and its files are the same.

    The one before it is let go. Calls at the same time share it.
    """
    key = (folder, model_fingerprint(folder), threads)
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


def _loaded(folder: Path, threads: int | None) -> StaticEncoder | TransformerEncoder:
    if is_static(folder):
        from entropyguard.core.embed.static import StaticEncoder  # each kind loads only what it needs

        return StaticEncoder(folder)
    from entropyguard.core.embed.transformer import TransformerEncoder  # torch takes a second to load

    return TransformerEncoder(folder, threads)


def facts_of(encoder: Encoder) -> list[Fact]:
    """What another machine's encoder of the same model must have in common with this one, to give the same bits."""
    name, model = name_of(encoder.folder), {_MODEL: model_fingerprint(encoder.folder)}
    facts = {**model, **encoder.facts}
    return [Fact(fact, str(value), partial(_told, name, fact)) for fact, value in facts.items()]


@lru_cache
def _told(name: str, fact: str) -> str:
    folder = resolve_model(name, allow_download=False)
    return model_fingerprint(folder) if fact == _MODEL else str(load_encoder(folder).facts.get(fact))


def _sent(encoder: StaticEncoder | TransformerEncoder) -> tuple[Any, ...]:
    return encoder_elsewhere, (name_of(encoder.folder), encoder.fingerprint)


@lru_cache(1)
def encoder_elsewhere(name: str, fingerprint: str) -> Encoder:
    """The encoder that has this fingerprint where the run was started; ProcessingError where it has another one here.

    It has as many threads as torch is given.
    """
    encoder = load_encoder(resolve_model(name, allow_download=False))
    if encoder.fingerprint != fingerprint:
        raise ProcessingError(
            f"The model {name} would give other vectors here ({encoder.fingerprint}) than where the run was started "
            f"({fingerprint}). Use machines of one kind, with the same packages."
        )
    return encoder
