"""The vector store: finds what was put, notices damage, is shared, and holds each vector once."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entropyguard.core.arrays import Keys
from entropyguard.core.embed.unit import embeddings_schema
from entropyguard.core.embed.vector_keys import text_keys, window_keys
from entropyguard.core.embed.vector_store import VectorStore, keep_generation, prune_encoders, vectors_to_arrow
from entropyguard.core.storage.digests import digests_to_arrow
from entropyguard.core.storage.files import content_digest
from entropyguard.core.storage.key_index import KeyIndex
from entropyguard.core.storage.parquet import TableWriter
from entropyguard.core.storage.parts import PartStore
from entropyguard.core.storage.temporary import temporary_file

DIMENSION = 4
A, B, C, D = (text_keys([name]) for name in "abcd")


def keys(*some: Keys) -> Keys:
    return np.concatenate(some)


def vectors(*firsts: float) -> npt.NDArray[np.float32]:
    """One row per number: the number, then zeros."""
    made = np.zeros((len(firsts), DIMENSION), dtype=np.float32)
    made[:, 0] = firsts
    return made


def firsts(store: VectorStore, *some: Keys) -> list[float | None]:
    """The first number of each key's vector; None where the store does not know it."""
    found, rows = store.find(keys(*some))
    numbers = iter(rows[:, 0].tolist())
    return [next(numbers) if known else None for known in found]


def write_embeddings(path: Path, some: Keys, rows: npt.NDArray[np.float32], skipped: list[str | None]) -> Path:
    columns = [
        pa.array(range(len(some)), pa.int64()),
        pa.array([0] * len(some), pa.int32()),
        pa.array(skipped, pa.string()),
        digests_to_arrow(some),
        vectors_to_arrow(rows, np.array([why is not None for why in skipped], dtype=np.bool_)),
    ]
    schema = embeddings_schema(DIMENSION)
    with TableWriter(path, schema, plain=("vector",)) as writer:
        writer.write(pa.table(columns, schema=schema))
    return path


@pytest.fixture
def parts(tmp_path: Path) -> PartStore:
    return PartStore(tmp_path / "store")


@pytest.fixture
def store(parts: PartStore) -> VectorStore:
    return VectorStore(parts, "model", DIMENSION)


def again(parts: PartStore) -> VectorStore:
    """The store as the next process sees it."""
    return VectorStore(parts, "model", DIMENSION)


def test_what_was_put_is_found_and_nothing_else(parts: PartStore, store: VectorStore) -> None:
    assert firsts(store, A, B) == [None, None]
    store.put(keys(A, B), vectors(1, 2))
    store.put(C, vectors(3))
    for reader in (store, again(parts)):
        assert firsts(reader, C, D, A, B, A) == [3, None, 1, 2, 1]


def test_a_fresh_store_reads_and_removes_nothing_of_what_was_there(
    parts: PartStore, store: VectorStore, tmp_path: Path
) -> None:
    store.put(keys(A, B), vectors(1, 2))
    fresh = again(PartStore.fresh(parts.folder))
    fresh.put(keys(C, D), vectors(3, 4))
    assert firsts(fresh, A, B, C, D) == [None, None, 3, 4]
    fresh.link(write_embeddings(tmp_path / "e.parquet", keys(A, C), vectors(1, 3), [None, None]))
    assert firsts(fresh, A, B, C, D) == [1, None, 3, 4]
    assert firsts(again(parts), A, B, C, D) == [1, 2, 3, 4]


def test_encoders_do_not_see_each_others_vectors(parts: PartStore, store: VectorStore) -> None:
    store.put(A, vectors(1))
    assert firsts(VectorStore(parts, "other model", DIMENSION), A) == [None]


def test_a_damaged_part_is_removed_and_the_others_stay(parts: PartStore, store: VectorStore) -> None:
    store.put(A, vectors(1))
    (first,) = (parts.folder / "model").iterdir()
    store.put(B, vectors(2))
    damaged = bytearray(first.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    first.write_bytes(damaged)
    assert firsts(again(parts), A, B) == [None, 2]
    assert not first.exists()


def test_a_part_cut_short_is_removed(parts: PartStore, store: VectorStore) -> None:
    store.put(A, vectors(1))
    (first,) = (parts.folder / "model").iterdir()
    os.truncate(first, 10)
    assert firsts(again(parts), A) == [None]


@pytest.mark.parametrize(("folder", "part"), [(0o2775, 0o664), (0o755, 0o644), (0o700, 0o600)])
def test_a_part_may_be_read_by_whom_the_folder_is_for(
    folder: int, part: int, parts: PartStore, store: VectorStore, tmp_path: Path
) -> None:
    parts.folder.mkdir()
    parts.folder.chmod(folder)
    store.put(A, vectors(1))
    embeddings = write_embeddings(tmp_path / "embeddings.parquet", B, vectors(2), [None])
    embeddings.chmod(0o600)
    store.link(embeddings)
    made = list((parts.folder / "model").iterdir())
    assert len(made) == 2
    assert {path.stat().st_mode & 0o7777 for path in made} == {part}
    assert (parts.folder / "model").stat().st_mode & 0o7777 == folder
    assert embeddings.stat().st_mode & 0o777 == 0o600


def test_a_new_store_is_as_open_as_the_umask_says(parts: PartStore, store: VectorStore) -> None:
    before = os.umask(0o027)
    try:
        store.put(A, vectors(1))
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in parts.folder.rglob("*.parquet")} == {0o640}


def test_two_processes_share_a_store(parts: PartStore, store: VectorStore, tmp_path: Path) -> None:
    other = again(parts)
    store.put(A, vectors(1))
    other.put(B, vectors(2))
    assert firsts(again(parts), A, B) == [1, 2]
    other = again(parts)
    # The first one finishes: its part, which the other one has in its index, makes room for the linked file.
    store.link(write_embeddings(tmp_path / "embeddings.parquet", keys(A), vectors(1), [None]))
    assert firsts(other, B, A) == [2, 1]


def test_a_finished_file_takes_the_place_of_its_parts_without_a_copy(
    parts: PartStore, store: VectorStore, tmp_path: Path
) -> None:
    store.put(keys(A, B), vectors(1, 2))
    store.put(D, vectors(4))
    finished = write_embeddings(tmp_path / "e.parquet", keys(C, B, A), vectors(3, 2, 1), [None, None, None])
    store.link(finished)
    names = sorted(path.name.partition("-")[0] for path in (parts.folder / "model").iterdir())
    assert names == ["embeddings", "vectors"]  # D is in no finished file, so its part stays
    assert finished.stat().st_nlink == 2
    assert store.size_bytes() < finished.stat().st_size
    for reader in (store, again(parts)):
        assert firsts(reader, A, B, C, D) == [1, 2, 3, 4]


def test_a_bigger_finished_file_takes_the_place_of_an_earlier_one(
    parts: PartStore, store: VectorStore, tmp_path: Path
) -> None:
    store.link(write_embeddings(tmp_path / "1.parquet", keys(A), vectors(1), [None]))
    store.link(write_embeddings(tmp_path / "2.parquet", keys(A, B), vectors(1, 2), [None, None]))
    assert len(list((parts.folder / "model").iterdir())) == 1
    assert firsts(again(parts), A, B) == [1, 2]


def test_rows_without_a_vector_are_not_found(parts: PartStore, store: VectorStore, tmp_path: Path) -> None:
    skipped = ["unreadable", None, "over_long"]
    store.link(write_embeddings(tmp_path / "e.parquet", keys(A, B, C), vectors(0, 2, 0), skipped))
    assert firsts(again(parts), A, B, C) == [None, 2, None]


def test_an_empty_file_can_be_linked(store: VectorStore, tmp_path: Path) -> None:
    store.link(write_embeddings(tmp_path / "e.parquet", A[:0], vectors(), []))
    assert firsts(store, A) == [None]


def test_what_a_killed_writer_left_goes_and_what_is_being_written_stays(
    parts: PartStore, store: VectorStore, tmp_path: Path
) -> None:
    store.put(A, vectors(1))
    with temporary_file(parts.folder / "model") as living:
        dead = living.with_name(f"{living.name.rpartition('-')[0]}-{0:016x}.tmp")
        dead.write_bytes(b"half")
        store.link(write_embeddings(tmp_path / "e.parquet", A, vectors(1), [None]))
        assert (dead.exists(), living.exists()) == (False, True)


def test_vectors_of_other_encoders_can_be_pruned(parts: PartStore, store: VectorStore) -> None:
    store.put(A, vectors(1))
    VectorStore(parts, "old model", DIMENSION).put(A, vectors(1))
    foreign = parts.folder / "mine" / "embeddings-v1.parquet"
    foreign.parent.mkdir()
    foreign.write_bytes(b"vectors of somebody")
    (parts.folder / "away").symlink_to(foreign.parent)
    removed = prune_encoders(parts, keep="model")
    assert removed.freed > 0
    assert removed.kept == ["away", "mine/embeddings-v1.parquet"]
    assert sorted(folder.name for folder in parts.folder.iterdir()) == ["away", "mine", "model"]
    assert foreign.read_bytes() == b"vectors of somebody"
    assert firsts(again(parts), A) == [1]


def test_a_generation_keeps_the_finished_file_alone(parts: PartStore, tmp_path: Path) -> None:
    finished = write_embeddings(tmp_path / "e.parquet", keys(A, B), vectors(1, 2), [None, None])
    for encoder in ("model", "other model"):
        VectorStore(parts, encoder, DIMENSION).put(keys(A, C), vectors(1, 3))
    VectorStore(parts, "model", DIMENSION).link(finished)
    keep_generation(parts, content_digest(finished))
    assert firsts(VectorStore(parts, "model", DIMENSION), A, B, C) == [1, 2, None]
    assert firsts(VectorStore(parts, "other model", DIMENSION), A, B, C) == [None, None, None]


def test_windows_have_keys_of_their_own() -> None:
    two, three = window_keys("a", 2), window_keys("a", 3)
    together = np.concatenate([A, two, three, window_keys("b", 2)])
    assert len(np.unique(together, axis=0)) == 8
    assert np.array_equal(two, window_keys("a", 2))


def test_the_index_takes_24_bytes_a_vector(parts: PartStore, store: VectorStore) -> None:
    many = text_keys(map(str, range(1_000)))
    store.put(many, np.zeros((1_000, DIMENSION), dtype=np.float32))
    assert len(again(parts)) == 1_000
    assert again(parts).index_bytes() == 24_000


halves = st.integers(min_value=0, max_value=3)
few_keys = st.lists(st.tuples(halves, halves), max_size=12)


@given(few_keys.map(lambda pairs: sorted(set(pairs))), few_keys, st.randoms(use_true_random=False))
def test_keys_that_share_a_half_are_told_apart(
    known: list[tuple[int, int]], asked: list[tuple[int, int]], random: object
) -> None:
    random.shuffle(known)  # type: ignore[attr-defined]
    rows = np.arange(len(known), dtype=np.int32)
    index = KeyIndex.of(np.array(known, dtype=np.uint64).reshape(-1, 2), np.zeros_like(rows), rows)
    places = index.find(np.array(asked, dtype=np.uint64).reshape(-1, 2))
    found = [known[index.row[place]] if place >= 0 else None for place in places]
    assert found == [pair if pair in known else None for pair in asked]
