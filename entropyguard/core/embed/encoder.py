"""What turns texts into vectors, whichever kind of model it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from entropyguard.core.arrays import Floats, Ints
from entropyguard.core.embed.tokenizer import Tokens
from entropyguard.core.storage.files import read_json


class Encoder(Protocol):
    """A model, loaded. A window's vector has the same bits whatever is embedded beside it, in any order."""

    dimension: int
    """Numbers in a vector."""

    fingerprint: str
    """Says everything that decides the bits of a vector; fit for a folder's name. Encoders that differ in precision
    alone differ in what follows the last `-`."""

    precision: str
    """float32 or bfloat16: what the model computes in. Vectors are float32 always."""

    rounding: float
    """How far the cosine of two of its vectors may lie from that of the float32 ones."""

    def tokenise(self, texts: Sequence[str], max_windows: int) -> Tokens:
        """Token ids in windows, and which texts cannot be embedded and why."""

    def encode(self, tokens: Tokens, wanted: Ints) -> Iterator[tuple[Ints, Floats]]:
        """Unit vectors of the windows at the positions `wanted`.

        Comes in pieces of at most a few seconds' work, in any order: (positions, float32 vectors, a row each).
        """


def load_encoder(folder: Path, threads: int | None = None, precision: str = "auto") -> Encoder:
    """The encoder of a model folder (see `resolve_model`): static (model2vec) or transformer.

    threads: how many the transformer may use (None: all); changes no bit of a vector.
    precision: float32, bfloat16, or auto: bfloat16 where this machine is fast at it. A static model has float32 only.
    """
    if is_static(folder):
        from entropyguard.core.embed.static import StaticEncoder  # each kind loads only what it needs

        return StaticEncoder(folder)
    from entropyguard.core.embed.transformer import TransformerEncoder  # torch takes a second to load

    return TransformerEncoder(folder, threads, precision)


def is_static(folder: Path) -> bool:
    """Whether the folder is in model2vec's format."""
    config = read_json(folder / "config.json")
    return isinstance(config, dict) and config.get("model_type") == "model2vec"
