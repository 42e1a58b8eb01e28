"""Short vectors: their products are never below those of the long ones, and no pair is lost by them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entropyguard.core.pairs import dot_products as products
from entropyguard.core.pairs import shortened
from entropyguard.core.pairs.shortened import MARGIN, Shortening, shortening_for
from entropyguard.core.pairs.similarity import may_reach, pair_similarity
from tests.made_vectors import BIG, Floats, by_lists, clustered, exhaustive, search, unit, write_vectors


def crowds(rows: int = 3_000, dimensions: int = 96, seed: int = 0) -> Floats:
    """Vectors in few directions most of all, with many pairs beside 0.9."""
    rng = np.random.default_rng(seed)
    stretched = clustered(rows, seed, dimensions, centres=rows // 4) / np.arange(1, dimensions + 1) ** 0.3
    return unit(stretched + 0.02 * rng.standard_normal((rows, dimensions)))


def shortening_of(vectors: Floats, floor: float, monkeypatch: pytest.MonkeyPatch) -> Shortening:
    monkeypatch.setattr(shortened, "_WORTH_IT_ROWS", 0)
    found = shortening_for(vectors, floor)
    assert found is not None
    return found


@settings(max_examples=30)
@given(width=st.integers(1, 11), seed=st.integers(0, 1000))
def test_products_of_short_vectors_are_never_below_those_of_the_long_ones(width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = unit(rng.standard_normal((40, 12)) * rng.choice([1e-4, 1.0], (40, 12)) + 1e-9)
    vectors[3] = 0
    vectors[4, 1:] = 0
    axes, _ = np.linalg.qr(rng.standard_normal((12, 12)))
    short = Shortening(axes[:, :width])(vectors)
    assert short.shape == (40, width + 1)
    assert short.dtype == np.float32
    exact, long = short.astype(np.float64), vectors.astype(np.float64)
    assert (exact @ exact.T >= long @ long.T - MARGIN).all()
    assert (np.linalg.norm(exact, axis=1) <= 1 + 1e-6).all()


def test_the_axes_are_those_that_spare_the_most_work(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = crowds()
    found = shortening_of(vectors, 0.9, monkeypatch)
    assert found.width < vectors.shape[1]
    assert found.axes.T @ found.axes == pytest.approx(np.eye(found.width - 1))
    kept = np.square(vectors @ found.axes).sum()
    assert kept > np.square(vectors[:, : found.width - 1]).sum(), "the first numbers as they come hold less"
    assert found.width < shortening_of(vectors, 0.75, monkeypatch).width, "far more pairs are beside a lower floor"


def test_few_rows_or_few_numbers_stay_as_they_are() -> None:
    assert shortening_for(crowds(shortened._WORTH_IT_ROWS - 1, 48), 0.9) is None
    assert shortening_for(crowds(shortened._WORTH_IT_ROWS, 32), 0.9) is None
    assert shortening_for(np.repeat(crowds(4, 48), shortened._WORTH_IT_ROWS // 4, axis=0), 0.9) is None, "all alike"


@pytest.mark.parametrize(("floor", "rows"), [(0.75, 3_000), (0.9, 1_200)])
def test_a_search_by_short_vectors_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, floor: float, rows: int
) -> None:
    vectors = crowds(rows)
    embeddings = write_vectors(tmp_path / "e.parquet", vectors)
    whole, found = (search(embeddings, None, params(floor))[1] for params in (exhaustive, by_lists))
    assert shortening_of(vectors, floor, monkeypatch).width < vectors.shape[1]
    for bfloat16, memory in ((False, BIG), (False, 1), (True, BIG), (True, 1)):
        monkeypatch.setattr(products, "_prefers_bfloat16", lambda rows, floor, kind=bfloat16: kind)
        assert search(embeddings, None, exhaustive(floor), memory)[1] == whole
        assert search(embeddings, None, by_lists(floor), memory)[1] == found


def test_the_quick_look_passes_every_pair_at_the_floor_and_few_others() -> None:
    vectors = crowds(600)
    left, right = (axis.reshape(-1) for axis in np.indices((600, 600)))
    reaches = pair_similarity(vectors, left, right) >= 900_000
    passes = may_reach(vectors, left, right, 0.9)
    assert passes[reaches].all()
    assert passes.sum() <= reaches.sum() * 1.001
