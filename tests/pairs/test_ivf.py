"""The search by lists: a part of the exhaustive answer, as large as asked for, the same however the work was cut."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NoReturn

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entropyguard.core.pairs import dot_products as products
from entropyguard.core.pairs import ivf
from entropyguard.core.pairs import quantizer as ivf_training
from entropyguard.core.pairs import query_blocks as block_rows
from entropyguard.core.pairs.block_store import shard_table
from entropyguard.core.pairs.candidates import SearchSizes
from entropyguard.core.pairs.quantizer import Quantizer, lists_for, train, trained_rows
from entropyguard.core.pairs.recall import Sample, choose_probes, measured_recall, wilson_interval
from entropyguard.core.pairs.scoring import Pairs
from entropyguard.core.pairs.similar_pairs import find_similar_pairs
from entropyguard.core.pairs.unit import is_exhaustive
from entropyguard.core.params import SearchParams
from entropyguard.core.pool.pool import InlinePool
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parts import PartStore
from tests.made_pools import SendingPool
from tests.made_vectors import (
    BIG,
    Floats,
    brute_force,
    brute_force_texts,
    by_lists,
    clustered,
    exhaustive,
    stored_pairs,
    unit,
    write_texts,
    write_vectors,
)
from tests.made_vectors import search as search_by_size

ALL_BUT_EXHAUSTIVE = by_lists(target_recall=0.999_999)
"""A search that may miss no pair of a small sample."""

SMALL = SearchSizes(block_rows_by_lists=100, tile_rows_by_lists=30, tile_columns_by_lists=20)

search = partial(search_by_size, sizes=SMALL)


def crowds(rows: int, seed: int = 0) -> Floats:
    """Vectors of texts on many topics, some of them crowded."""
    return clustered(rows, seed, dimensions=24, centres=max(1, rows // 12))


@settings(max_examples=25)
@given(rows=st.integers(0, 230), seed=st.integers(0, 1000), memory=st.sampled_from([1, BIG]))
def test_a_search_that_may_miss_nothing_finds_the_brute_force_matrix(
    tmp_path_factory: pytest.TempPathFactory, rows: int, seed: int, memory: int
) -> None:
    folder = tmp_path_factory.mktemp("lists")
    vectors = crowds(rows, seed)
    search(write_vectors(folder / "e.parquet", vectors), None, ALL_BUT_EXHAUSTIVE, memory)
    assert stored_pairs(folder) == brute_force(vectors, 0.9)


def test_long_texts_are_similar_where_all_windows_are(tmp_path: Path) -> None:
    texts = [
        windows[:count] for windows, count in zip(clustered(360).reshape(120, 3, -1), [1, 2, 2, 3] * 30, strict=True)
    ]
    search(write_texts(tmp_path / "e.parquet", texts), None, ALL_BUT_EXHAUSTIVE)
    assert stored_pairs(tmp_path) == brute_force_texts(texts, 0.9) != []


@pytest.mark.parametrize("target", [0.8, 0.99])
def test_pairs_are_a_part_of_the_exhaustive_ones_as_large_as_asked_for(tmp_path: Path, target: float) -> None:
    sizes = replace(SMALL, block_rows_by_lists=1_000, first_sample_rows=100, enough_pairs=300)
    embeddings = write_vectors(tmp_path / "e.parquet", crowds(3_500))
    search(embeddings)
    every = set(stored_pairs(tmp_path))
    search(embeddings, None, by_lists(target_recall=target), sizes=sizes)
    found, told = set(stored_pairs(tmp_path)), Checkpoint(tmp_path / "pairs.parquet").metadata["search"]
    assert found < every, "a target below 1 should spare some work"
    assert len(found) >= target * len(every)
    assert told["method"] == "ivf"
    assert told["recall_sample_rows"] < 3_500
    assert told["recall_interval"][0] <= len(found) / len(every) <= told["recall_interval"][1]


def test_memory_threads_store_and_kind_of_product_change_no_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embeddings = write_vectors(tmp_path / "e.parquet", crowds(420))
    _, expected = search(embeddings, None, by_lists())
    for memory, threads, store in ((1, None, None), (3_000, 1, PartStore(tmp_path / "blocks")), (BIG, 2, None)):
        assert search(embeddings, store, by_lists(), memory, threads)[1] == expected
    monkeypatch.setattr(products, "_prefers_bfloat16", lambda rows, floor: True)
    assert search(embeddings, None, by_lists())[1] == expected
    assert search(embeddings, None, by_lists(), max_memory=1)[1] == expected


def test_an_append_searches_only_the_new_rows_and_equals_a_clean_run(tmp_path: Path) -> None:
    vectors, store = crowds(510), PartStore(tmp_path / "blocks")
    search(write_vectors(tmp_path / "e.parquet", vectors[:430]), store, by_lists())
    longer = write_vectors(tmp_path / "e.parquet", vectors)
    counts, appended = search(longer, store, by_lists())
    assert (counts.blocks, counts.blocks_reused) == (6, 4)
    assert appended == search(longer, None, by_lists())[1]


def test_more_rows_than_twice_the_trained_ones_train_anew(tmp_path: Path) -> None:
    vectors, store = crowds(530), PartStore(tmp_path / "blocks")
    search(write_vectors(tmp_path / "e.parquet", vectors[:500]), store, by_lists())
    longer = write_vectors(tmp_path / "e.parquet", vectors)
    counts, appended = search(longer, store, by_lists())
    assert counts.blocks_reused == 0
    assert appended == search(longer, None, by_lists())[1]


def forbid_training_and_sampling(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> NoReturn:
        raise AssertionError

    monkeypatch.setattr(ivf, "train", forbidden)
    monkeypatch.setattr(ivf.IvfSearch, "_sampled", forbidden)


def test_workers_that_open_the_search_themselves_find_the_same(tmp_path: Path) -> None:
    embeddings = write_vectors(tmp_path / "e.parquet", crowds(420))
    store = PartStore(tmp_path / "blocks")
    for params in (by_lists(), exhaustive()):
        _, expected = search(embeddings, None, params)
        counts, found = search(embeddings, store, params, pool=SendingPool())
        assert found == expected
        assert search(embeddings, store, params)[0].blocks_reused == counts.blocks


@pytest.mark.parametrize("params", [by_lists(), exhaustive()])
def test_the_folder_is_listed_as_often_for_many_block_rows_as_for_one(
    params: SearchParams, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = list[int]()
    paths = PartStore.paths

    def counted(store: PartStore) -> list[Path]:
        listed[-1] += 1
        return paths(store)

    monkeypatch.setattr(PartStore, "paths", counted)
    for rows in (20, 420):
        listed.append(0)
        store = PartStore(tmp_path / f"blocks-{rows}")
        embeddings = write_vectors(tmp_path / "e.parquet", crowds(rows))
        counts, _ = search(embeddings, store, params, sizes=replace(SMALL, block_rows=50))
    assert counts.blocks > 1
    assert listed[0] == listed[1] > 0


def test_a_killed_search_makes_only_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embeddings, store = write_vectors(tmp_path / "e.parquet", crowds(420)), PartStore(tmp_path / "blocks")
    _, expected = search(embeddings, None, by_lists())
    calls: list[int] = []

    def die(done: int, total: int | None) -> None:
        calls.append(done)
        if len(calls) == 3:  # block rows, after the samples of all five
            raise InterruptedError

    with pytest.raises(InterruptedError):
        find_similar_pairs(
            Checkpoint(embeddings), tmp_path / "half.parquet", by_lists(), store, BIG, die, InlinePool(), sizes=SMALL
        )
    forbid_training_and_sampling(monkeypatch)
    counts, found = search(embeddings, store, by_lists())
    assert (counts.blocks, counts.blocks_reused) == (5, 3)
    assert found == expected
    assert search(embeddings, store, by_lists())[0].blocks_reused == 5


def test_another_target_keeps_what_was_trained_and_sampled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embeddings, store = write_vectors(tmp_path / "e.parquet", crowds(420)), PartStore(tmp_path / "blocks")
    search(embeddings, store, by_lists(target_recall=0.5))
    forbid_training_and_sampling(monkeypatch)
    _, found = search(embeddings, store, ALL_BUT_EXHAUSTIVE)
    monkeypatch.undo()
    assert found == search(embeddings, None, ALL_BUT_EXHAUSTIVE)[1]


def test_a_large_cluster_fits_a_small_memory_and_loses_no_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    larger = SearchSizes(block_rows_by_lists=2_048, tile_rows_by_lists=1_024, tile_columns_by_lists=512)
    sizes: list[int] = []

    def note_size(pairs: Pairs, start: int, end: int) -> pa.Table:
        sizes.append(len(pairs[0]))
        return shard_table(pairs, start, end)

    monkeypatch.setattr(block_rows, "shard_table", note_size)
    others, alike = crowds(1_000), np.repeat(unit(np.ones((1, 24))), 2_000, axis=0)
    embeddings = write_vectors(tmp_path / "e.parquet", np.concatenate([others[:500], alike, others[500:]]))
    counts, _ = search(embeddings, None, by_lists(), 64 * 4 * 100_000, sizes=larger)
    assert counts.pairs == sum(sizes)
    assert max(sizes) <= 100_000
    within = 0
    for table in Checkpoint(tmp_path / "pairs.parquet").tables():
        a, b = table["row_a"].to_numpy() // 3, table["row_b"].to_numpy() // 3
        within += int(((a >= 500) & (b < 2_500)).sum())
    assert within == 2_000 * 1_999 // 2


def test_without_any_pair_nothing_is_claimed(tmp_path: Path) -> None:
    search(write_vectors(tmp_path / "e.parquet", unit(np.eye(300))), None, by_lists())
    told = Checkpoint(tmp_path / "pairs.parquet").metadata["search"]
    assert (told["recall"], told["recall_interval"], told["recall_sample_pairs"]) == (None, None, 0)
    assert told["probes"] == min(told["lists"], 16)
    assert stored_pairs(tmp_path) == []


def test_vectors_without_a_direction_are_in_no_pair(tmp_path: Path) -> None:
    vectors = crowds(200)
    vectors[::3] = 0
    search(write_vectors(tmp_path / "e.parquet", vectors), None, ALL_BUT_EXHAUSTIVE)
    assert stored_pairs(tmp_path) == brute_force(vectors, 0.9) != []


def test_equal_vectors_are_one_list(tmp_path: Path) -> None:
    search(write_vectors(tmp_path / "e.parquet", unit(np.ones((150, 3)))), None, by_lists())
    assert Checkpoint(tmp_path / "pairs.parquet").metadata["search"]["lists"] == 1
    assert len(stored_pairs(tmp_path)) == 150 * 149 // 2


@pytest.mark.parametrize(
    ("rows", "params", "expected"),
    [
        (999, SearchParams(0.9, 0.995, 1_000), True),
        (1_000, SearchParams(0.9, 0.995, 1_000), False),
        (1_000, SearchParams(0.9, 1.0, 1_000), True),  # only looking at every pair misses none for certain
        (1, by_lists(), False),
        (0, by_lists(), True),
        (10, exhaustive(), True),
    ],
)
def test_the_method_hangs_on_the_number_of_rows_and_the_parameters(
    rows: int, params: SearchParams, expected: bool
) -> None:
    assert is_exhaustive(rows, params) is expected


def test_products_with_centroids_are_exact_whole_numbers() -> None:
    vectors = np.concatenate([crowds(500), unit(np.ones((3, 24))), unit(np.eye(24)[:3])])
    quantiser = train(vectors)
    whole = np.rint(vectors * np.float32(ivf_training._SCALE)).astype(np.int64)
    exact = whole @ quantiser.centroids.astype(np.int64).T
    assert (np.abs(exact) < 1 << 24).all()
    assert (quantiser.scores(vectors) == exact).all()


def test_training_is_k_means_in_whole_numbers() -> None:
    vectors = crowds(3_000)
    whole = np.rint(vectors * np.float32(ivf_training._TRAINING_SCALE)).astype(np.int64)
    order = np.random.RandomState(ivf_training._SEED).permutation(3_000)
    centroids = ivf_training._seeds(whole[order].astype(np.float32), lists_for(3_000)).astype(np.int64)
    for _ in range(ivf_training._ROUNDS):
        distances = np.square(centroids).sum(axis=1) - 2 * whole @ centroids.T
        nearest = distances.argmin(axis=1)
        counts = np.bincount(nearest, minlength=len(centroids))[:, None]
        assert counts.all(), "FAISS fills empty lists in a way of its own"
        sums = np.stack([whole[nearest == number].sum(axis=0) for number in range(len(centroids))])
        means = sums.astype(np.float32) * (np.float32(1) / counts.astype(np.float32))
        centroids = (np.sign(means) * np.floor(np.abs(means) + np.float32(0.5))).astype(np.int64)
    expected = centroids / np.linalg.norm(centroids, axis=1, keepdims=True) * ivf_training._SCALE
    assert np.abs(train(vectors).centroids - expected).max() <= 0.5 + 1e-9


TRAIN_IN_A_PROCESS = """
import hashlib, sys
import numpy as np
from entropyguard.core.pairs.quantizer import train
vectors = np.load(sys.argv[1])
print(hashlib.sha256(train(vectors, int(sys.argv[2])).centroids.tobytes()).hexdigest())
"""


def test_threads_and_the_processors_instructions_change_no_centroid(tmp_path: Path) -> None:
    np.save(tmp_path / "vectors.npy", clustered(6_000, dimensions=384, centres=500))

    def trained(threads: int, **environment: str) -> str:
        command = [sys.executable, "-c", TRAIN_IN_A_PROCESS, str(tmp_path / "vectors.npy"), str(threads)]
        return subprocess.run(command, env=os.environ | environment, check=True, capture_output=True, text=True).stdout

    assert {
        trained(1),
        trained(2),
        trained(2, FAISS_SIMD_LEVEL="AVX2", OPENBLAS_CORETYPE="Haswell"),
        trained(2, FAISS_SIMD_LEVEL="NONE", OPENBLAS_CORETYPE="Sandybridge"),
    } == {trained(2)}


def test_vectors_without_a_direction_are_not_trained_on() -> None:
    assert train(np.zeros((40, 3), dtype=np.float32)).centroids.tolist() == [[0, 0, 0]]
    one_way = unit(np.eye(3)[:1]).repeat(5, axis=0)
    assert train(np.concatenate([np.zeros((40, 3), dtype=np.float32), one_way])).centroids.tolist() == [[4000, 0, 0]]


def test_a_quantiser_survives_being_kept() -> None:
    quantiser = train(crowds(300))
    assert (Quantizer.from_table(quantiser.to_table()).centroids == quantiser.centroids).all()


def test_a_tie_for_the_last_probe_takes_all_and_the_far_side_none() -> None:
    quantiser = Quantizer(np.array([[4000, 0], [0, 4000], [0, 4000], [-4000, 0]], dtype=np.float32))
    vectors = unit([[2, 1], [-1, 0]])
    assert quantiser.probed(vectors, 1).tolist() == [[True, False, False, False], [False, False, False, True]]
    assert quantiser.probed(vectors, 2).tolist() == [[True, True, True, False], [False, False, False, True]]
    assert quantiser.lists(unit([[0, 1]])).tolist() == [1]


@pytest.mark.parametrize(("rows", "trained", "lists"), [(1, 1, 1), (3, 2, 2), (1_000_000, 524_288, 1_024)])
def test_rows_trained_on_and_lists_are_powers_of_two(rows: int, trained: int, lists: int) -> None:
    assert trained_rows(rows) == trained
    assert lists_for(trained) == lists


def sample_of(*entries: tuple[int, int, int], rows: int = 1_000, of: int = 1_000) -> Sample:
    """Entries are (row, rank, pairs)."""
    return Sample(np.array(entries, dtype=np.int64).reshape(-1, 3).T, rows, of)


def many(rank: int, pairs_each: int = 10) -> list[tuple[int, int, int]]:
    return [(row, rank, pairs_each) for row in range(100)]


def test_probes_leave_fewer_misses_than_the_target_allows_the_more_so_the_fewer_pairs_are_known() -> None:
    rows = [(row, rank, 1) for rank, pairs in ((2, 1_960), (5, 20), (9, 20)) for row in range(pairs)]
    sample = Sample(np.array(rows, dtype=np.int64).T, 2_000, 2_000)
    assert choose_probes([sample], 0.995) == 9
    assert choose_probes([sample], 0.9865) == 5  # one in a hundred is missed, and 1.35 are allowed
    assert choose_probes([sample], 0.97) == 2
    half = Sample(sample.entries[:, ::2], 1_000, 1_000)
    assert choose_probes([half], 0.9865) == 9  # of half as many one may be seen where 1.35 are the truth
    assert choose_probes([half, half], 0.9865) == 5


def test_a_large_cluster_does_not_speak_for_the_other_rows() -> None:
    cluster = [(row, 1, 50_000) for row in range(200, 400)]
    assert choose_probes([sample_of(*cluster)], 0.995) == 1
    assert choose_probes([sample_of(*many(6, 1), *cluster)], 0.995) == 6


def test_a_sample_with_few_pairs_is_joined_by_those_before_it() -> None:
    far, near, few = sample_of(*many(40)), sample_of(*many(3)), sample_of((0, 5, 1))
    enough = [near] * 4
    assert choose_probes([far, *enough], 0.97) == 3
    assert choose_probes([far, *enough, few], 0.97) == 3
    assert choose_probes([far, near, few], 0.97) == 40
    assert choose_probes([*enough, far, few], 0.97) == 40
    assert choose_probes([few], 0.995) == 16  # too little to go by
    assert choose_probes([sample_of((0, 70, 1))], 0.995) == 70


def test_many_pairs_of_one_row_are_little_evidence() -> None:
    assert sample_of((0, 1, 5_000)).evidence() == 10
    assert sample_of((0, 1, 4), (0, 2, 3), (1, 1, 12)).evidence() == 17


def test_recall_weighs_a_sample_by_the_rows_it_was_drawn_from() -> None:
    all_found, half_found = sample_of(*many(1), of=1_000), sample_of(*many(1, 5), *many(9, 5), of=3_000)
    told = measured_recall([all_found, half_found], [4, 4])
    assert told["recall"] == 0.625  # a quarter of the pairs all found, three quarters half found
    assert told["recall_sample_rows"] == told["recall_sample_pairs"] == 2_000
    low, high = told["recall_interval"]
    assert 0 < low < 0.625 < high < 1


def test_the_interval_is_wide_where_one_row_has_most_pairs() -> None:
    spread, piled = sample_of(*many(1, 50)), sample_of(*many(1, 1), (500, 1, 4_900))
    (low_spread, _), (low_piled, _) = (measured_recall([one], [1])["recall_interval"] for one in (spread, piled))
    assert low_spread == round(100 / (100 + 1.959964**2), 6)  # as of a hundred pairs, one for each row
    assert low_piled < 0.3


def test_the_interval_is_wilsons() -> None:
    low, high = wilson_interval(0.5, 100)
    assert (round(low, 4), round(high, 4)) == (0.4038, 0.5962)
    assert wilson_interval(1.0, 10) == pytest.approx((10 / (10 + 1.959964**2), 1.0))
