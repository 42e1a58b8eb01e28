"""Rounded vectors name the candidates; float32 vectors decide which of them are pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entropyguard.core.errors import InternalError, ProcessingError
from entropyguard.core.pairs import scoring as pair_scores
from entropyguard.core.pairs.candidates import SearchSizes
from entropyguard.core.pairs.rescoring import ExactVectors
from entropyguard.core.pairs.similar_pairs import SimilarCounts, find_similar_pairs
from entropyguard.core.params import SearchParams
from entropyguard.core.progress import silent
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parts import PartStore
from tests.made_vectors import (
    BIG,
    Floats,
    brute_force_texts,
    by_lists,
    clustered,
    exhaustive,
    search,
    stored_pairs,
    unit,
    write_texts,
    write_vectors,
)

ROUNDING = 0.02
SMALL = SearchSizes(block_rows=8, tile_columns=3, block_rows_by_lists=16)
Text = Floats | str


def texts_of(windows: Sequence[int], seed: int = 0) -> list[Text]:
    """Texts of so many windows, some of them similar; a text of none is skipped."""
    rng, vectors = np.random.default_rng(seed), clustered(4 * len(windows) + 1, seed)
    return [vectors[rng.integers(0, len(vectors), count)] if count else "over_long" for count in windows]


def rounded(texts: Sequence[Text], seed: int = 0) -> list[Text]:
    """The texts' vectors, moved so little that no cosine changes by more than `ROUNDING`."""
    rng = np.random.default_rng(seed)

    def moved(text: Floats) -> Floats:
        return unit(text + unit(rng.standard_normal(text.shape)) * (ROUNDING / 3))

    return [text if isinstance(text, str) else moved(text) for text in texts]


def exact_vectors(texts: Sequence[Text], asked: list[list[int]] | None = None, cut: int = 3) -> ExactVectors:
    """The texts' own vectors, in pieces that are cut anywhere; `asked` is told which rows were wanted."""

    def give(wanted: npt.NDArray[np.bool_]) -> Iterator[tuple[npt.NDArray[np.int64], Floats]]:
        assert len(wanted) == len(texts)
        places = np.flatnonzero(wanted)
        if asked is not None:
            asked.append(places.tolist())
        both = [(place, window) for place in places.tolist() for window in texts[place]]
        for start in range(0, len(both), cut):
            rows, vectors = zip(*both[start : start + cut], strict=True)
            yield np.array(rows, dtype=np.int64), np.array(vectors, dtype=np.float32)

    return give


def search_rounded(
    folder: Path,
    texts: Sequence[Text],
    give: ExactVectors | None = None,
    params: SearchParams | None = None,
    store: PartStore | None = None,
    max_memory: int = BIG,
) -> tuple[SimilarCounts, dict[str, Any]]:
    """Search rounded copies of the texts' vectors, with theirs to decide; the counts and what is told of the search."""
    stored = write_texts(folder / "e.parquet", rounded(texts), rounding=ROUNDING)
    out = folder / "pairs.parquet"
    counts = find_similar_pairs(
        Checkpoint(stored),
        out,
        params or exhaustive(),
        store,
        max_memory,
        silent,
        exact_vectors=give or exact_vectors(texts),
        sizes=SMALL,
    )
    return counts, Checkpoint(out).metadata["search"]


@settings(max_examples=40)
@given(
    windows=st.lists(st.sampled_from([0, 1, 1, 1, 2, 3]), max_size=40),
    seed=st.integers(0, 1000),
    memory=st.sampled_from([1, BIG]),
    dense=st.sampled_from([0.0, 1.0]),
    params=st.sampled_from([exhaustive(), exhaustive(1.0), by_lists(target_recall=0.999_999)]),
)
def test_the_pairs_are_those_of_float32_vectors(
    tmp_path_factory: pytest.TempPathFactory,
    windows: list[int],
    seed: int,
    memory: int,
    dense: float,
    params: SearchParams,
) -> None:
    folder, texts = tmp_path_factory.mktemp("rounded"), texts_of(windows, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pair_scores, "_DENSE", dense)
        counts, told = search_rounded(folder, texts, params=params, max_memory=memory)
    found, expected = stored_pairs(folder), brute_force_texts(texts, params.floor)
    if params.exact_below_rows:
        assert found == expected
    else:  # the samples of such a small search are all rows, and tell of pairs that the rounded vectors have too
        known = {pair[:2] for pair in brute_force_texts(rounded(texts), params.floor)}
        assert {pair for pair in expected if pair[:2] in known} <= set(found) <= set(expected)
    assert counts.pairs == len(found) <= told["candidates"]
    assert told["largest_rounding"] <= ROUNDING
    assert told["floor"] == params.floor


def test_only_rows_of_candidates_are_embedded_again(tmp_path: Path) -> None:
    near, far = unit([[1, 0.1, 0, 0, 0]]), unit([[1, 0.55, 0, 0, 0]])  # 0.8764: within the rounding of 0.9
    texts: list[Text] = ["unreadable", unit([[1, 0, 0, 0, 0]]), unit([[0, 1, 0, 0, 0]]), near, "over_long", far]
    asked: list[list[int]] = []
    _, told = search_rounded(tmp_path, texts, exact_vectors(texts, asked))
    wanted = asked[0]
    assert {1, 3} <= set(wanted) <= {1, 3, 5}
    assert told["rescored_rows"] == len(wanted)
    assert stored_pairs(tmp_path) == brute_force_texts(texts, 0.9)


def test_the_largest_change_of_a_similarity_is_told(tmp_path: Path) -> None:
    stored = [unit([[1, 0, 0, 0, 0]]), unit([[0.95, np.sqrt(1 - 0.95**2), 0, 0, 0]])]
    texts: list[Text] = [stored[0], unit([[0.94, np.sqrt(1 - 0.94**2), 0, 0, 0]])]
    embeddings = write_texts(tmp_path / "e.parquet", stored, rounding=ROUNDING)
    out = tmp_path / "pairs.parquet"
    find_similar_pairs(Checkpoint(embeddings), out, exhaustive(), None, BIG, silent, exact_vectors=exact_vectors(texts))
    assert Checkpoint(out).metadata["search"] == {
        "floor": 0.9,
        "method": "exact",
        "recall": 1.0,
        "candidates": 1,
        "rescored_rows": 2,
        "largest_rounding": 0.01,
    }
    assert stored_pairs(tmp_path) == [(0, 3, 0.94)]


def test_float32_vectors_are_not_embedded_again(tmp_path: Path) -> None:
    def forbidden(wanted: npt.NDArray[np.bool_]) -> NoReturn:
        raise AssertionError(wanted)

    embeddings = write_vectors(tmp_path / "e.parquet", clustered(40))
    _, expected = search(embeddings, sizes=SMALL)
    out = tmp_path / "pairs.parquet"
    find_similar_pairs(
        Checkpoint(embeddings), out, exhaustive(), None, BIG, silent, exact_vectors=forbidden, sizes=SMALL
    )
    assert out.read_bytes() == expected


def test_memory_and_store_change_no_byte(tmp_path: Path) -> None:
    texts, store = texts_of([1, 2, 1, 1, 0] * 16), PartStore(tmp_path / "blocks")
    out = tmp_path / "pairs.parquet"
    search_rounded(tmp_path, texts)
    expected = out.read_bytes()
    for memory, where in ((1, None), (5_000, store), (BIG, store)):
        search_rounded(tmp_path, texts, store=where, max_memory=memory)
        assert out.read_bytes() == expected
    assert len(stored_pairs(tmp_path)) > 50


def test_a_search_killed_while_embedding_searches_nothing_again(tmp_path: Path) -> None:
    texts, store = texts_of([1, 2] * 20), PartStore(tmp_path / "blocks")
    give = exact_vectors(texts)

    def die(wanted: npt.NDArray[np.bool_]) -> Iterator[tuple[npt.NDArray[np.int64], Floats]]:
        yield next(give(wanted))
        raise InterruptedError

    with pytest.raises(InterruptedError):
        search_rounded(tmp_path, texts, die, store=store)
    counts, _ = search_rounded(tmp_path, texts, store=store)
    assert counts.blocks_reused == counts.blocks == 5
    assert stored_pairs(tmp_path) == brute_force_texts(texts, 0.9) != []


def drop_the_last(rows: npt.NDArray[np.int64], vectors: Floats) -> tuple[npt.NDArray[np.int64], Floats]:
    return rows[:-1], vectors[:-1]


def name_another_row(rows: npt.NDArray[np.int64], vectors: Floats) -> tuple[npt.NDArray[np.int64], Floats]:
    return rows + 1, vectors


@pytest.mark.parametrize("change", [drop_the_last, name_another_row])
def test_vectors_of_other_rows_are_refused(
    tmp_path: Path, change: Callable[[npt.NDArray[np.int64], Floats], tuple[npt.NDArray[np.int64], Floats]]
) -> None:
    texts = texts_of([1, 2] * 10)
    give = exact_vectors(texts, cut=1_000)
    with pytest.raises(ProcessingError, match="Run embed again"):
        search_rounded(tmp_path, texts, lambda wanted: (change(*piece) for piece in give(wanted)))


def test_rounded_vectors_alone_decide_nothing(tmp_path: Path) -> None:
    stored = write_texts(tmp_path / "e.parquet", texts_of([1] * 10), rounding=ROUNDING)
    with pytest.raises(InternalError, match="needs the texts"):
        search(stored)
