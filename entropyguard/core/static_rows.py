"""The static vectors of all rows, read a row group at a time; what is finished is kept for a run that goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from entropyguard.core.distil import SCALE, as_whole, static_vectors
from entropyguard.core.encoder import Encoder
from entropyguard.core.parquet import read_about, read_tables, row_count
from entropyguard.core.progress import Progress
from entropyguard.core.search_parts import Parts
from entropyguard.core.text import texts_of
from entropyguard.core.vector_keys import Keys, text_keys
from entropyguard.core.vectors import Floats, scratch

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class StaticRows:
    """Of the rows that can be embedded: place among all `total`, hash, tokens in all windows, and static vector."""

    total: int
    places: Ints
    keys: npt.NDArray[np.uint64]
    tokens: Ints
    vectors: Floats

    def share_of_tokens(self, some: Ints, of: Ints | None = None) -> float:
        """The share that some positions have of the tokens of others (None: all)."""
        return float(self.tokens[some].sum() / max(1, (self.tokens if of is None else self.tokens[of]).sum()))


@dataclass(frozen=True)
class StaticReader:
    """table: a vector for each token (see `distil`). max_bytes: of vectors in memory; beyond it they go to `spill`."""

    encoder: Encoder
    max_windows: int
    table: Floats
    parts: Parts
    max_bytes: int
    spill: Path
    progress: Progress

    def read(self, after_exact: Path) -> StaticRows:
        """The static vector of every row that the model can embed."""
        about, total, dimension = read_about(after_exact), row_count(after_exact), self.encoder.dimension
        vectors = scratch((total, dimension), np.float32, total * dimension * 4 <= self.max_bytes, self.spill)
        places, keys, tokens, start, done = [], [], [], 0, 0
        for rows in read_tables(after_exact, ["record"]):
            texts = texts_of(rows, about).to_list()
            own = text_keys(texts)
            piece = self.parts.get(self._name(own), partial(self._piece, texts))
            at = piece["row"].to_numpy()
            whole = piece["vector"].combine_chunks().flatten().to_numpy().reshape(-1, dimension)
            np.divide(whole, SCALE, out=vectors[done : done + len(at)])
            places.append(start + at)
            keys.append(own[at, 0])
            tokens.append(piece["tokens"].to_numpy())
            start, done = start + len(texts), done + len(at)
            self.progress(start, total)
        return StaticRows(total, np.concatenate(places), np.concatenate(keys), np.concatenate(tokens), vectors[:done])

    def _name(self, keys: Keys) -> str:
        """Of everything that a piece hangs on."""
        seen = xxhash.xxh3_128(f"static rows 1 {self.encoder.fingerprint} {self.max_windows}".encode())
        seen.update(keys.data)
        return f"rows-{seen.hexdigest()}"

    def _piece(self, texts: Sequence[str]) -> pa.Table:
        """row: which of the texts; vector: whole numbers, as `as_whole` gives them, which 16 bits hold."""
        tokens = self.encoder.tokenise(texts, self.max_windows)
        taken = np.flatnonzero(tokens.counts)
        first = (np.cumsum(tokens.counts) - tokens.counts)[taken]
        whole = as_whole(static_vectors(self.table, tokens, first)).astype(np.int16)
        return pa.table(
            {
                "row": taken,
                "tokens": np.add.reduceat(tokens.lengths(), first) if len(first) else first,
                "vector": pa.FixedSizeListArray.from_arrays(pa.array(whole.reshape(-1)), self.encoder.dimension),
            }
        )
