"""similar_pairs: every pair at or above the floor, the same bytes however the work was cut."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entropyguard.core.pairs import dot_products as products
from entropyguard.core.pairs import query_blocks as block_rows
from entropyguard.core.pairs import scoring as pair_scores
from entropyguard.core.pairs.block_store import shard_table
from entropyguard.core.pairs.candidates import SearchSizes
from entropyguard.core.pairs.similar_pairs import SimilarCounts, find_similar_pairs
from entropyguard.core.pairs.similarity import _settle, block_similarity, pair_similarity
from entropyguard.core.pool.pool import InlinePool
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parts import PartStore
from tests.made_vectors import (
    BIG,
    brute_force,
    brute_force_texts,
    clustered,
    exhaustive,
    stored_pairs,
    unit,
    write_texts,
    write_vectors,
)
from tests.made_vectors import search as search_by_size

SMALL = SearchSizes(block_rows=8, tile_columns=3)
"""So that a few dozen rows make many blocks and tiles."""

search = partial(search_by_size, sizes=SMALL)


@settings(max_examples=40)
@given(
    rows=st.integers(0, 40),
    seed=st.integers(0, 1000),
    floor=st.sampled_from([0.1, 0.5, 0.9, 0.99, 1.0]),
    memory=st.sampled_from([1, 5_000, BIG]),
    dense=st.sampled_from([0.0, 1.0]),
)
def test_pairs_equal_the_brute_force_matrix(
    tmp_path_factory: pytest.TempPathFactory, rows: int, seed: int, floor: float, memory: int, dense: float
) -> None:
    folder = tmp_path_factory.mktemp("search")
    vectors = clustered(rows, seed)
    embeddings = write_vectors(folder / "e.parquet", vectors)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pair_scores, "_DENSE", dense)  # score whole tiles, or pair by pair
        counts, _ = search(embeddings, PartStore(folder / "blocks"), exhaustive(floor), memory)
    assert stored_pairs(folder) == brute_force(vectors, floor)
    assert counts == SimilarCounts(rows, len(stored_pairs(folder)), -(-rows // 8), 0)


@pytest.mark.parametrize("dense", [0.0, 1.0])
def test_a_pair_exactly_at_the_floor_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dense: float) -> None:
    monkeypatch.setattr(pair_scores, "_DENSE", dense)
    vectors = np.array([[1, 0], [0.9, np.sqrt(1 - 0.81)], [0.8999990, np.sqrt(1 - 0.8999990**2)]], dtype=np.float32)
    search(write_vectors(tmp_path / "e.parquet", vectors))
    assert (0, 3, 0.9) in stored_pairs(tmp_path)
    assert not [pair for pair in stored_pairs(tmp_path) if pair[:2] == (0, 6)]


def test_skipped_rows_take_no_part_and_are_counted(tmp_path: Path) -> None:
    vectors = unit([[1, 0], [1, 0], [1, 0], [0, 1], [1, 0], [1, 0]])
    skipped = {1: "unreadable", 2: "over_long", 3: "over_long", 5: "empty"}
    counts, _ = search(write_vectors(tmp_path / "e.parquet", vectors, skipped))
    assert counts == SimilarCounts(rows=6, pairs=1, blocks=1, blocks_reused=0)
    assert stored_pairs(tmp_path) == [(0, 12, 1.0)]
    about = Checkpoint(tmp_path / "pairs.parquet").metadata
    assert [about[name] for name in ("rows", "empty", "unreadable", "over_long")] == [6, 1, 1, 2]
    assert about["search"]["floor"] == 0.9


@settings(max_examples=40)
@given(
    rows=st.integers(0, 30),
    seed=st.integers(0, 1000),
    memory=st.sampled_from([1, BIG]),
    dense=st.sampled_from([0.0, 1.0]),
)
def test_pairs_of_long_texts_are_those_whose_windows_are_all_similar(
    tmp_path_factory: pytest.TempPathFactory, rows: int, seed: int, memory: int, dense: float
) -> None:
    folder = tmp_path_factory.mktemp("windows")
    rng = np.random.default_rng(seed)
    texts = [
        "over_long" if windows == 0 else clustered(3 * rows, seed)[rng.integers(0, 3 * rows, windows)]
        for windows in rng.choice([0, 1, 1, 2, 2, 3], rows)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pair_scores, "_DENSE", dense)
        counts, _ = search(write_texts(folder / "e.parquet", texts), PartStore(folder / "blocks"), None, memory)
    assert stored_pairs(folder) == brute_force_texts(texts, 0.9)
    assert counts.rows == rows


def test_a_change_in_a_later_window_searches_again(tmp_path: Path) -> None:
    texts = list(clustered(48, centres=2).reshape(24, 2, -1))
    store = PartStore(tmp_path / "blocks")
    search(write_texts(tmp_path / "e.parquet", texts), store)
    texts[9] = np.concatenate([texts[9][:1], -texts[9][1:]])
    assert search(write_texts(tmp_path / "e.parquet", texts), store)[0].blocks_reused == 1
    texts[9] = texts[9][:1]
    assert search(write_texts(tmp_path / "e.parquet", texts), store)[0].blocks_reused == 1
    assert stored_pairs(tmp_path) == brute_force_texts(texts, 0.9) != []


def test_memory_threads_and_store_change_no_byte(tmp_path: Path) -> None:
    embeddings = write_vectors(tmp_path / "e.parquet", clustered(60))
    _, expected = search(embeddings)
    for memory, threads, store in ((1, None, None), (3_000, 1, PartStore(tmp_path / "blocks")), (BIG, 2, None)):
        assert search(embeddings, store, None, memory, threads)[1] == expected


def test_a_search_of_few_rows_loads_neither_torch_nor_a_tokenizer(tmp_path: Path) -> None:
    embeddings = write_vectors(tmp_path / "e.parquet", clustered(60))
    code = (
        "import sys; from pathlib import Path; from tests.made_vectors import search;"
        f"search(Path({str(embeddings)!r})); sys.exit(not {{'torch', 'tokenizers'}}.isdisjoint(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_bfloat16_candidates_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    search = partial(search_by_size, sizes=SearchSizes(block_rows=256, tile_columns=100))
    embeddings = write_vectors(tmp_path / "e.parquet", clustered(400))  # thousands of pairs beside each floor
    for floor in (77 / 256 + 1e-5, 231 / 256 + 1e-5, 0.99):  # where rounding to bfloat16 hurts most, just above one
        monkeypatch.setattr(products, "_prefers_bfloat16", lambda rows, floor: False)
        _, expected = search(embeddings, None, exhaustive(floor))
        monkeypatch.setattr(products, "_prefers_bfloat16", lambda rows, floor: True)
        assert search(embeddings, None, exhaustive(floor))[1] == expected
        assert search(embeddings, None, exhaustive(floor), max_memory=1)[1] == expected


def test_a_search_killed_in_the_middle_makes_only_the_missing_block_rows(tmp_path: Path) -> None:
    embeddings = write_vectors(tmp_path / "e.parquet", clustered(60))
    _, expected = search(embeddings)
    store = PartStore(tmp_path / "blocks")

    def die(done: int, total: int | None) -> None:
        if done >= 6:  # three of eight block rows: 1 + 2 + 3 of 36 tiles
            raise InterruptedError

    with pytest.raises(InterruptedError):
        find_similar_pairs(
            Checkpoint(embeddings),
            tmp_path / "half.parquet",
            exhaustive(0.9),
            store,
            BIG,
            die,
            InlinePool(),
            sizes=SMALL,
        )
    counts, bytes_found = search(embeddings, store)
    assert (counts.blocks, counts.blocks_reused) == (8, 3)
    assert bytes_found == expected
    assert search(embeddings, store)[0].blocks_reused == 8


def test_an_append_searches_only_the_new_blocks_and_equals_a_clean_run(tmp_path: Path) -> None:
    vectors = clustered(61)
    store = PartStore(tmp_path / "blocks")
    search(write_vectors(tmp_path / "e.parquet", vectors[:43]), store)  # five full block rows and a part of one
    longer = write_vectors(tmp_path / "e.parquet", vectors)
    counts, appended = search(longer, store)
    assert (counts.blocks, counts.blocks_reused) == (8, 5)
    assert appended == search(longer)[1]
    assert stored_pairs(tmp_path) == brute_force(vectors, 0.9)


def test_row_ids_may_change_without_a_new_search(tmp_path: Path) -> None:
    vectors = clustered(24)
    store = PartStore(tmp_path / "blocks")
    search(write_vectors(tmp_path / "e.parquet", vectors), store)
    before = stored_pairs(tmp_path)
    shifted = write_vectors(tmp_path / "e.parquet", np.concatenate([vectors[:1], vectors]), {0: "unreadable"})
    assert search(shifted, store)[0].blocks_reused == 3
    assert stored_pairs(tmp_path) == [(a + 3, b + 3, similarity) for a, b, similarity in before]


def test_another_floor_or_another_vector_searches_again(tmp_path: Path) -> None:
    vectors = clustered(24)
    store = PartStore(tmp_path / "blocks")
    search(write_vectors(tmp_path / "e.parquet", vectors), store)
    assert search(tmp_path / "e.parquet", store, exhaustive(0.8))[0].blocks_reused == 0
    vectors[9] = -vectors[9]
    assert search(write_vectors(tmp_path / "e.parquet", vectors), store, exhaustive(0.8))[0].blocks_reused == 1
    assert stored_pairs(tmp_path) == brute_force(vectors, 0.8)


def test_a_damaged_part_is_made_again_and_stale_parts_go(tmp_path: Path) -> None:
    embeddings = write_vectors(tmp_path / "e.parquet", clustered(60))
    store = PartStore(tmp_path / "blocks")
    _, expected = search(embeddings, store)
    parts = store.paths()
    damaged = bytearray(parts[2].read_bytes())
    damaged[len(damaged) // 2] ^= 1
    parts[2].write_bytes(damaged)
    store.put("stale", pa.table({"x": [1]}))
    counts, found = search(embeddings, store)
    assert counts.blocks_reused == counts.blocks - 1
    assert found == expected
    assert store.paths() == parts


def test_a_fresh_search_reads_no_part_and_leaves_only_its_own(tmp_path: Path) -> None:
    store = PartStore(tmp_path / "blocks")
    search(write_vectors(tmp_path / "e.parquet", clustered(60)), store)
    longer = write_vectors(tmp_path / "e.parquet", clustered(61))
    counts, found = search(longer, PartStore.fresh(store.folder))
    assert counts.blocks_reused == 0
    own = store.paths()
    again, expected = search(longer, store)
    assert again.blocks_reused == again.blocks
    assert (store.paths(), found) == (own, expected)


def test_a_missing_stripe_is_made_again(tmp_path: Path) -> None:
    embeddings = write_vectors(tmp_path / "e.parquet", unit(np.ones((60, 3))))
    _, expected = search(embeddings)
    store = PartStore(tmp_path / "blocks")
    search(embeddings, store, max_memory=1)
    parts = store.paths()
    assert len(parts) > 8, "a small memory limit should have cut block rows into stripes"
    for gone in parts[::3]:
        gone.unlink()
    assert search(embeddings, store)[1] == expected
    assert search(embeddings, store)[0].blocks_reused == 8


def test_a_large_cluster_fits_a_small_memory_and_loses_no_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = 3_000
    embeddings = write_vectors(tmp_path / "e.parquet", unit(np.ones((rows, 4))))
    sizes: list[int] = []

    def note_size(pairs: pair_scores.Pairs, start: int, end: int) -> pa.Table:
        sizes.append(len(pairs[0]))
        return shard_table(pairs, start, end)

    monkeypatch.setattr(block_rows, "shard_table", note_size)
    memory = 64 * 4 * 400_000
    counts, _ = search(embeddings, None, None, memory, sizes=SearchSizes(block_rows=1_024, tile_columns=512))
    assert counts.pairs == sum(sizes) == rows * (rows - 1) // 2
    assert max(sizes) <= 400_000
    at = 0
    for table in Checkpoint(tmp_path / "pairs.parquet").tables():
        order = table["row_b"].to_numpy() // 3 * rows + table["row_a"].to_numpy() // 3
        assert (np.diff(order) > 0).all()
        assert order[0] > at
        at = order[-1]
        assert set(table["similarity"].to_pylist()) == {1.0}


def test_progress_counts_tiles_of_the_half_square(tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    embeddings = write_vectors(tmp_path / "e.parquet", clustered(20))
    note = lambda done, total: seen.append((done, total))  # noqa: E731  a def would say no more
    find_similar_pairs(
        Checkpoint(embeddings), tmp_path / "pairs.parquet", exhaustive(0.9), None, BIG, note, InlinePool(), sizes=SMALL
    )
    assert seen == [(1, 6), (3, 6), (6, 6)]


@given(rows=st.integers(1, 20), columns=st.integers(1, 20), width=st.integers(1, 9), seed=st.integers(0, 1000))
def test_a_similarity_does_not_hang_on_what_is_computed_beside_it(
    rows: int, columns: int, width: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    # Halves, quarters and a millionth's half on purpose: sums that fall on the border between two roundings.
    vectors = rng.choice([0.5, 0.25, -0.5, 1e-3, 5e-4, 0.7071068], (rows + columns, width)).astype(np.float32)
    block = block_similarity(vectors[:rows], vectors[rows:])
    for row in range(rows):
        left, right = np.full(columns, row), np.arange(rows, rows + columns)
        assert pair_similarity(vectors, left, right).tolist() == block[row].tolist()
        assert pair_similarity(vectors, left[:1], right[:1]).tolist() == block[row, :1].tolist()


@pytest.mark.parametrize("error", [-1e-15, 0.0, 1e-15])
def test_the_last_bits_of_a_sum_do_not_turn_the_rounding(error: float) -> None:
    one, other = np.array([[1.0, 0.5]]), np.array([[2.0**-7, 0.0]])  # 7812.5 millionths, to the bit
    assert _settle(np.array([2.0**-7 + error]), one, other).tolist() == [7812]
    assert _settle(np.array([[2.0**-7 + error]]), one, other).tolist() == [[7812]]
