"""What turns texts into vectors, whichever kind of model it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from entropyguard.core.arrays import Floats, Ints
from entropyguard.core.embed.tokenizer import Tokens


class Encoder(Protocol):
    """A model, loaded. A window's vector has the same bits whatever is embedded beside it, in any order.

    One that is sent to another process is loaded there, once (`loader`).
    """

    folder: Path
    """Of the model."""

    dimension: int
    """Numbers in a vector."""

    fingerprint: str
    """Says everything that decides the bits of a vector; fit for a folder's name."""

    on_gpu: bool
    """Whether it needs a GPU for vectors of these bits."""

    facts: dict[str, str | None]
    """What the fingerprint is made of, for who asks why two differ."""

    unit_bytes: int
    """About how much text a core embeds in a quarter of a minute or less: what is lost when it is killed meanwhile."""

    def tokenise(self, texts: Sequence[str], max_windows: int) -> Tokens:
        """Token ids in windows, and which texts cannot be embedded and why."""

    def encode(self, tokens: Tokens, wanted: Ints) -> Iterator[tuple[Ints, Floats]]:
        """Unit vectors of the windows at the positions `wanted`.

        Comes in pieces of at most a few seconds' work, in any order: (positions, float32 vectors, a row each).
        """
