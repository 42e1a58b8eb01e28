"""Static models in the format of model2vec: a text's vector is the mean of its tokens' vectors.

Needs numpy and the tokenizer, no torch. The same numbers as `model2vec.StaticModel.encode` up to rounding
(https://github.com/MinishLab/model2vec), but a text over the window gives several vectors instead of being cut off,
and each window is summed by itself, so that its bits do not depend on its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
from safetensors.numpy import load_file

from entropyguard.core.arrays import Floats, Int32s, Ints
from entropyguard.core.embed.model import model_fingerprint
from entropyguard.core.embed.scripts import COVERAGE_VERSION
from entropyguard.core.embed.tokenizer import TextTokenizer, Tokens, read_tokenizer
from entropyguard.core.errors import UsageError
from entropyguard.core.storage.files import read_json

_DEFAULT_WINDOW = 512  # model2vec's own, where the folder says nothing


class StaticEncoder:
    """The encoder of one folder, `piece_windows` at a time; see `entropyguard.core.embed.encoder.Encoder`."""

    unit_bytes = 32 << 20
    on_gpu = False

    def __init__(self, folder: Path, piece_windows: int = 4_096) -> None:
        self.folder, self._piece_windows = folder, piece_windows
        config = read_json(folder / "config.json") or {}
        self._table = _token_vectors(folder)
        self.dimension = int(self._table.shape[1])
        mute = np.flatnonzero(~self._table.any(axis=1))
        window = config.get("max_length", _DEFAULT_WINDOW)
        self._tokenizer = TextTokenizer(read_tokenizer(folder), window, special=False, unread=mute)
        if self._tokenizer.vocabulary > len(self._table):
            raise UsageError(
                f"The model in {folder} has {len(self._table)} vectors for {self._tokenizer.vocabulary} tokens;"
                " its files do not belong together."
            )
        self.facts: dict[str, str | None] = {"numpy": np.__version__, "tokenizers": tokenizers.__version__}
        versions = f"numpy{np.__version__}-tokenizers{tokenizers.__version__}"
        self.fingerprint = f"static-{model_fingerprint(folder)}-w{window}-r{COVERAGE_VERSION}-{versions}-float32"

    def tokenise(self, texts: Sequence[str], max_windows: int) -> Tokens:
        """Token ids in windows, and which texts cannot be embedded."""
        return self._tokenizer(texts, max_windows)

    def encode(self, tokens: Tokens, wanted: Ints) -> Iterator[tuple[Ints, Floats]]:
        """Unit vectors of the wanted windows, piece by piece, each with the positions it is for."""
        for start in range(0, len(wanted), self._piece_windows):
            piece = wanted[start : start + self._piece_windows]
            vectors = np.empty((len(piece), self.dimension), dtype=np.float32)
            for at, window in enumerate(piece):
                ids = tokens.of(int(window))
                vectors[at] = self._mean(ids[ids != self._tokenizer.unknown])
            yield piece, vectors

    def _mean(self, ids: Int32s) -> Floats:
        total = self._table[ids].sum(axis=0, dtype=np.float64)
        length = np.sqrt(np.square(total).sum())
        # Vectors that cancel out have no direction: zero is similar to nothing.
        unit: Floats = (total / length if length > 0 else total).astype(np.float32)
        return unit


def _token_vectors(folder: Path) -> Floats:
    """One float32 vector per token id; a quantised vocabulary is spread out again."""
    file = folder / "model.safetensors"
    try:
        tensors: dict[str, Any] = load_file(file)
        table = tensors["embeddings"].astype(np.float32)
    except Exception as error:  # safetensors has an error of its own for each kind of damage
        raise UsageError(f"{file} holds no static model that can be read ({error}).") from error
    if "mapping" in tensors:
        table = table[tensors["mapping"]]
    if "weights" in tensors:
        table = table * tensors["weights"].astype(np.float32)[:, None]
    result: Floats = np.ascontiguousarray(table)
    return result
