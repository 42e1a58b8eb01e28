"""What turns texts into vectors, whichever kind of model it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from entropyguard.core.files import read_json
from entropyguard.core.tokens import Tokens


class Encoder(Protocol):
    """A model, loaded. A text's vector has the same bits whatever is embedded beside it, in any order."""

    dimension: int
    """Numbers in a vector."""

    fingerprint: str
    """Says everything that decides the bits of a vector; fit for a folder's name."""

    def tokenise(self, texts: Sequence[str]) -> Tokens:
        """Token ids, and which texts cannot be embedded and why."""

    def encode(
        self, tokens: Tokens, wanted: npt.NDArray[np.int64]
    ) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]:
        """Unit vectors of the texts at the positions `wanted`, none of them skipped.

        Comes in pieces of at most a few seconds' work, in any order: (positions, float32 vectors, a row each).
        """


def load_encoder(folder: Path, threads: int | None = None) -> Encoder:
    """The encoder of a model folder (see `resolve_model`): static (model2vec) or transformer.

    threads: how many the transformer may use (None: all); changes no bit of a vector.
    """
    if is_static(folder):
        from entropyguard.core.static import StaticEncoder  # each kind loads only what it needs

        return StaticEncoder(folder)
    from entropyguard.core.transformer import TransformerEncoder  # torch takes a second to load

    return TransformerEncoder(folder, threads)


def is_static(folder: Path) -> bool:
    """Whether the folder is in model2vec's format."""
    config = read_json(folder / "config.json")
    return isinstance(config, dict) and config.get("model_type") == "model2vec"
