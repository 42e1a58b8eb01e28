"""Some texts at a time on their way to vectors: looked up in the store first, the missing ones embedded."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from entropyguard.core.arrays import Bools, Floats, Ints, Keys
from entropyguard.core.embed.encoder import Encoder
from entropyguard.core.embed.vector_keys import text_keys, window_keys
from entropyguard.core.embed.vector_store import VectorStore
from entropyguard.core.rows.content import nothing_to_compare

EMPTY = "empty"
"""Why a text without a letter, digit or symbol is not embedded: no model is asked what it says."""

_SHORT_CHARACTERS = 1_024  # with a window of 16 tokens or more, no text so short has too many

Listener = Callable[[Keys, Floats, float], None]
"""Told of vectors as soon as they are there, with the share of the batch's work that is done."""


class TextBatch:
    """Some texts; `text`, `window`, `keys` and `vectors` have a line for each of their windows, in order.

    A text that cannot be embedded has one line; `skipped` says for each text why, or None.
    """

    def __init__(self, texts: Sequence[str], encoder: Encoder, max_windows: int, store: VectorStore | None) -> None:
        """A text's lines do not depend on the other texts."""
        self._encoder = encoder
        asked = np.ones(len(texts), dtype=np.bool_)
        # Of a longer text the tokeniser says whether it is too long for so many windows, whatever the store has of it.
        short = np.array([len(text) <= _SHORT_CHARACTERS for text in texts], dtype=np.bool_)
        empty = nothing_to_compare(pl.Series(texts, dtype=pl.String))
        asked[empty] = short[empty] = False
        keys, candidates = text_keys(texts), np.flatnonzero(short)
        is_known, found = _look_up(store, keys[candidates], encoder.dimension)
        known = candidates[is_known]
        asked[known] = False
        missing = np.flatnonzero(asked)
        self._tokens = encoder.tokenise([texts[at] for at in missing.tolist()], max_windows)
        self.skipped: npt.NDArray[np.object_] = np.full(len(texts), None, dtype=object)
        self.skipped[empty] = EMPTY
        self.skipped[missing] = self._tokens.skipped
        counts = np.ones(len(texts), dtype=np.int64)
        counts[missing] = np.maximum(self._tokens.counts, 1)
        first = np.cumsum(counts) - counts
        self.text: Ints = np.repeat(np.arange(len(texts)), counts)
        self.window: Ints = np.arange(len(self.text)) - first[self.text]
        self.keys = keys[self.text]
        self.vectors = np.zeros((len(self.text), encoder.dimension), dtype=np.float32)
        self.vectors[first[known]] = found
        embeddable = np.zeros(len(texts), dtype=np.bool_)
        embeddable[missing] = self._tokens.counts > 0
        self._lines = np.flatnonzero(embeddable[self.text])  # of the windows in `_tokens`, in their order
        self._missing = np.ones(len(self._lines), dtype=np.bool_)
        self._find_windows(texts, counts, first, ~short | (counts > 1), store)
        self.embedded = 0
        """How many texts have a window that was embedded here, not taken from the store or from an equal text."""

    def _find_windows(
        self, texts: Sequence[str], counts: Ints, first: Ints, some: Bools, store: VectorStore | None
    ) -> None:
        """Look up the windows of some texts; where there are several, they have keys of their own."""
        for at in np.flatnonzero(counts > 1).tolist():
            self.keys[first[at] : first[at] + counts[at]] = window_keys(texts[at], int(counts[at]))
        asked = np.flatnonzero(some[self.text[self._lines]])
        known, found = _look_up(store, self.keys[self._lines[asked]], self._encoder.dimension)
        self.vectors[self._lines[asked[known]]] = found
        self._missing[asked[known]] = False

    def has_vector(self) -> Bools:
        """Of each line, whether its text has been, or can be, embedded."""
        embeddable = np.array([why is None for why in self.skipped], dtype=np.bool_)
        return embeddable[self.text]

    def embed(self, listener: Listener) -> None:
        """Embed each missing window once; equal ones share the vector."""
        windows = np.flatnonzero(self._missing)
        once, of_once = _first_of_equal(self.keys[self._lines[windows]])
        done = 0
        for positions, vectors in self._encoder.encode(self._tokens, windows[once]):
            lines = self._lines[positions]
            self.vectors[lines] = vectors
            done += len(lines)
            listener(self.keys[lines], vectors, done / len(once))
        again = np.ones(len(windows), dtype=np.bool_)
        again[once] = False
        self.vectors[self._lines[windows[again]]] = self.vectors[self._lines[windows[once[of_once[again]]]]]
        self.embedded = len(np.unique(self.text[self._lines[windows[once]]]))


def _look_up(store: VectorStore | None, keys: Keys, dimension: int) -> tuple[Bools, Floats]:
    """Which keys the store knows, and the vectors of those."""
    if store is None:
        return np.zeros(len(keys), dtype=np.bool_), np.empty((0, dimension), dtype=np.float32)
    return store.find(keys)


def _first_of_equal(keys: Keys) -> tuple[Ints, Ints]:
    """The first of each set of equal keys, and for each key which of these it is equal to."""
    pairs = np.ascontiguousarray(keys).view([("first", np.uint64), ("second", np.uint64)]).reshape(-1)
    _, first, inverse = np.unique(pairs, return_index=True, return_inverse=True)
    return first, inverse
