"""A model folder as an encoder, whichever kind of model it is."""

from __future__ import annotations

from pathlib import Path

from entropyguard.core.embed.encoder import Encoder
from entropyguard.core.embed.model import is_static


def load_encoder(folder: Path, threads: int | None = None) -> Encoder:
    """The encoder of a model folder (see `resolve_model`): static (model2vec) or transformer.

    threads: how many the transformer may use (None: all); changes no bit of a vector.
    """
    if is_static(folder):
        from entropyguard.core.embed.static import StaticEncoder  # each kind loads only what it needs

        return StaticEncoder(folder)
    from entropyguard.core.embed.transformer import TransformerEncoder  # torch takes a second to load

    return TransformerEncoder(folder, threads)
