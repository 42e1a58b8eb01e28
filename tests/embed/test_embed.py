"""The embed stage: the same bytes cold or resumed, only what is missing is embedded, every row accounted for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entropyguard.core.embed.embed import EmbedCounts, embed_texts
from entropyguard.core.embed.encoder import Encoder
from entropyguard.core.embed.loader import load_encoder
from entropyguard.core.embed.static import StaticEncoder
from entropyguard.core.embed.tokenizer import Tokens
from entropyguard.core.embed.vector_keys import text_keys, window_keys
from entropyguard.core.pool.pool import InlinePool, Pool
from entropyguard.core.progress import silent
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parquet import TableWriter
from entropyguard.core.storage.parts import PartStore
from tests.made_pools import SendingPool
from tests.static_model import DIMENSION, write_static_model

TEXTS = [
    f"the {animal} sat near the {thing}" for animal in ("cat", "dog", "lion") for thing in ("fire", "river", "door")
]


class Counting:
    """An encoder that counts what it embeds, and breaks down after some pieces when told to."""

    def __init__(self, encoder: Encoder, pieces: int | None = None) -> None:
        self._encoder = encoder
        self._pieces = pieces
        self.folder, self.dimension, self.fingerprint = encoder.folder, encoder.dimension, encoder.fingerprint
        self.unit_bytes, self.on_gpu, self.facts = encoder.unit_bytes, encoder.on_gpu, encoder.facts
        self.embedded = 0

    def tokenise(self, texts: Sequence[str], max_windows: int) -> Tokens:
        return self._encoder.tokenise(texts, max_windows)

    def encode(
        self, tokens: Tokens, wanted: npt.NDArray[np.int64]
    ) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]:
        for positions, vectors in self._encoder.encode(tokens, wanted):
            if self._pieces == 0:
                raise KeyboardInterrupt
            self._pieces = None if self._pieces is None else self._pieces - 1
            self.embedded += len(positions)
            yield positions, vectors


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model's folder."""
    return write_static_model(tmp_path_factory.mktemp("model"), window=20)


@pytest.fixture(scope="module")
def model(folder: Path) -> Encoder:
    return load_encoder(folder)


@pytest.fixture(scope="module")
def in_twos(folder: Path) -> Encoder:
    """The same model, giving two vectors at a time."""
    return StaticEncoder(folder, piece_windows=2)


def write_input(path: Path, texts: Sequence[str], first_row_id: int = 0) -> Path:
    """An after_near_dedup.parquet with every third row id missing."""
    row_ids = [first_row_id + at + at // 2 for at in range(len(texts))]
    columns = {
        "row_id": pa.array(row_ids, pa.int64()),
        "file": pa.array([0] * len(texts), pa.int32()),
        "line": pa.array([row_id + 1 for row_id in row_ids], pa.int64()),
        "record": pa.array([json.dumps({"text": text}) for text in texts], pa.large_string()),
    }
    table = pa.table(columns)
    with TableWriter(path, table.schema, {"format": "jsonl", "text_column": "text"}) as writer:
        writer.write(table)
    return path


def run(
    folder: Path,
    texts: Sequence[str],
    encoder: Encoder,
    store: PartStore | None = None,
    max_windows: int = 1,
    unit_rows: int = 1 << 16,
    pool: Pool | None = None,
) -> tuple[EmbedCounts, bytes]:
    """Counts and bytes of one run in `folder`."""
    source = write_input(folder / "in.parquet", texts)
    pool = pool or InlinePool()
    counts = embed_texts(Checkpoint(source), folder / "out.tmp", encoder, max_windows, store, silent, pool, unit_rows)
    (folder / "out.tmp").replace(folder / "embeddings.parquet")
    return counts, (folder / "embeddings.parquet").read_bytes()


def test_each_row_has_its_vector_or_says_why_not(tmp_path: Path, model: Encoder) -> None:
    texts = ["the cat sat", "你好", "dog " * 21, "music and dance"]
    counts, _ = run(tmp_path, texts, model)
    assert counts == EmbedCounts(rows=4, embedded=2, reused=0, empty=0, unreadable=1, over_long=1)
    table = pq.read_table(tmp_path / "embeddings.parquet")
    assert table.schema.names == ["row_id", "window", "skipped", "key", "vector"]
    assert table.schema.field("vector").type == pa.list_(pa.float32(), DIMENSION)
    assert table.column("row_id").to_pylist() == [0, 1, 3, 4]
    assert table.column("window").to_pylist() == [0, 0, 0, 0]
    assert table.column("skipped").to_pylist() == [None, "unreadable", "over_long", None]
    assert b"".join(table.column("key").to_pylist()) == text_keys(texts).tobytes()
    vectors = table.column("vector").to_pylist()
    assert [vector is None for vector in vectors] == [False, True, True, False]
    assert np.linalg.norm(vectors[0]) == pytest.approx(1, abs=1e-6)


def test_a_text_longer_than_the_window_has_a_line_for_each_window(tmp_path: Path, model: Encoder) -> None:
    texts = ["a dog", "cat " * 45, "dog " * 61, "cat " * 20]
    counts, _ = run(tmp_path, texts, model, max_windows=3)
    assert counts == EmbedCounts(rows=4, embedded=3, reused=0, empty=0, unreadable=0, over_long=1)
    table = pq.read_table(tmp_path / "embeddings.parquet")
    assert table.column("row_id").to_pylist() == [0, 1, 1, 1, 3, 4]
    assert table.column("window").to_pylist() == [0, 0, 1, 2, 0, 0]
    assert table.column("skipped").to_pylist() == [None, None, None, None, "over_long", None]
    own = table.column("key").to_pylist()
    assert b"".join(own[1:4]) == window_keys(texts[1], 3).tobytes()
    assert b"".join([own[0], *own[4:]]) == text_keys([texts[0], *texts[2:]]).tobytes()


def test_windows_that_were_saved_are_not_embedded_again(tmp_path: Path, model: Encoder, in_twos: Encoder) -> None:
    texts = ["cat " * 45, "dog " * 30, TEXTS[0]]
    _, clean = run(tmp_path, texts, model, max_windows=3)
    store = PartStore(tmp_path / "store")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, texts, Counting(in_twos, pieces=1), store, max_windows=3)
    encoder = Counting(model)
    counts, resumed = run(tmp_path, texts, encoder, store, max_windows=3)
    assert (encoder.embedded, counts.embedded + counts.reused) == (4, 3)
    assert resumed == clean


def test_of_a_text_with_nothing_to_compare_no_encoder_is_asked(tmp_path: Path, model: Encoder) -> None:
    class Asked(Counting):
        texts: Sequence[str] = ()

        def tokenise(self, texts: Sequence[str], max_windows: int) -> Tokens:
            self.texts = texts
            return super().tokenise(texts, max_windows)

    encoder, store = Asked(model), PartStore(tmp_path / "store")
    texts = ["", "the cat sat", "...", " \u200b\u0301 ", "." * 100_000]
    counts, clean = run(tmp_path, texts, encoder, store)
    assert (encoder.texts, encoder.embedded) == (["the cat sat"], 1)
    assert counts == EmbedCounts(rows=5, embedded=1, reused=0, empty=4, unreadable=0, over_long=0)
    table = pq.read_table(tmp_path / "embeddings.parquet")
    assert table.column("skipped").to_pylist() == ["empty", None, "empty", "empty", "empty"]
    assert [vector is None for vector in table.column("vector").to_pylist()] == [True, False, True, True, True]
    assert run(tmp_path, texts, encoder, store)[1] == clean
    assert run(tmp_path, ["", "..."], encoder, store)[0].empty == 2


def test_a_text_too_long_for_so_many_windows_has_no_vector_even_where_the_store_has_one(
    tmp_path: Path, model: Encoder
) -> None:
    blanks = "the cat" + " " * 2_000 + "sat"
    store = PartStore(tmp_path / "store")
    counts, _ = run(tmp_path, [blanks], model, store, max_windows=16)
    assert counts.embedded == 1
    counts, _ = run(tmp_path, [blanks], model, store, max_windows=16)
    assert (counts.reused, counts.embedded) == (1, 0)
    counts, stored = run(tmp_path, [blanks], model, store, max_windows=1)
    assert (counts.over_long, stored) == (1, run(tmp_path, [blanks], model)[1])


def test_equal_texts_are_embedded_once(tmp_path: Path, model: Encoder) -> None:
    encoder = Counting(model)
    counts, _ = run(tmp_path, ["the cat sat", "a dog", "the cat sat"], encoder)
    assert (encoder.embedded, counts.embedded, counts.reused) == (2, 2, 1)
    first, _, third = pq.read_table(tmp_path / "embeddings.parquet").column("vector").to_pylist()
    assert first == third


def test_no_rows_give_an_empty_file(tmp_path: Path, model: Encoder) -> None:
    counts, _ = run(tmp_path, [], model, PartStore(tmp_path / "store"))
    assert counts == EmbedCounts(0, 0, 0, 0, 0, 0)
    assert pq.read_table(tmp_path / "embeddings.parquet").num_rows == 0


def test_nothing_is_saved_without_a_store(tmp_path: Path, model: Encoder) -> None:
    run(tmp_path, TEXTS, model)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["embeddings.parquet", "in.parquet"]


@pytest.mark.parametrize("rows", [2, 9])  # units of a row or two are finished, or the only one is cut short
def test_an_interrupted_run_goes_on_where_it_stopped(
    tmp_path: Path, model: Encoder, in_twos: Encoder, rows: int
) -> None:
    _, clean = run(tmp_path, TEXTS, model)
    store = PartStore(tmp_path / "store")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, TEXTS, Counting(in_twos, pieces=3), store, unit_rows=rows)
    encoder = Counting(model)
    counts, resumed = run(tmp_path, TEXTS, encoder, store, unit_rows=rows)
    assert (encoder.embedded, counts.reused) == (3, 6)
    assert resumed == clean


def test_a_finished_run_embeds_nothing_again(tmp_path: Path, model: Encoder) -> None:
    store = PartStore(tmp_path / "store")
    _, first = run(tmp_path, TEXTS, model, store)
    encoder = Counting(model)
    counts, second = run(tmp_path, TEXTS, encoder, store)
    assert (encoder.embedded, counts.reused) == (0, len(TEXTS))
    assert first == second


def test_appended_rows_are_the_only_ones_embedded(tmp_path: Path, model: Encoder) -> None:
    store = PartStore(tmp_path / "store")
    run(tmp_path, TEXTS[:6], model, store)
    encoder = Counting(model)
    _, appended = run(tmp_path, TEXTS, encoder, store)
    assert encoder.embedded == 3
    assert appended == run(tmp_path, TEXTS, model)[1]


def test_vectors_lie_on_disk_once(tmp_path: Path, model: Encoder) -> None:
    run(tmp_path, TEXTS, model, PartStore(tmp_path / "store"), unit_rows=2)
    (part,) = (path for path in (tmp_path / "store").rglob("*") if path.is_file())
    assert part.samefile(tmp_path / "embeddings.parquet")


def test_a_flipped_byte_in_the_store_costs_only_its_part(tmp_path: Path, model: Encoder) -> None:
    store = PartStore(tmp_path / "store")
    _, clean = run(tmp_path, TEXTS, model, store)
    (part,) = (path for path in (tmp_path / "store").rglob("*") if path.is_file())
    damaged = bytearray(part.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    part.write_bytes(damaged)
    encoder = Counting(model)
    assert run(tmp_path, TEXTS, encoder, store)[1] == clean
    assert encoder.embedded == len(TEXTS)


def test_two_projects_share_a_store(tmp_path: Path, model: Encoder) -> None:
    store = PartStore(tmp_path / "store")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    run(tmp_path / "one", TEXTS[:6], model, store)
    encoder = Counting(model)
    run(tmp_path / "two", TEXTS[3:], encoder, store)
    assert encoder.embedded == 3
    encoder = Counting(model)
    run(tmp_path / "one", TEXTS, encoder, store)
    assert encoder.embedded == 0


def test_units_of_a_killed_run_serve_a_run_on_more_rows(tmp_path: Path, model: Encoder, in_twos: Encoder) -> None:
    store = PartStore(tmp_path / "store")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, TEXTS[:7], Counting(in_twos, pieces=2), store, unit_rows=2)
    encoder = Counting(model)
    _, appended = run(tmp_path, TEXTS, encoder, store)
    assert encoder.embedded == 5
    (part,) = (path for path in (tmp_path / "store").rglob("*") if path.is_file())
    assert part.samefile(tmp_path / "embeddings.parquet")
    assert appended == run(tmp_path, TEXTS, model)[1]


def test_a_damaged_unit_is_embedded_again(tmp_path: Path, model: Encoder, in_twos: Encoder) -> None:
    store = PartStore(tmp_path / "store")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, TEXTS, Counting(in_twos, pieces=2), store, unit_rows=2)
    part = next(path for path in (tmp_path / "store").rglob("*.parquet"))
    part.write_bytes(part.read_bytes()[:-1])
    encoder = Counting(model)
    assert run(tmp_path, TEXTS, encoder, store, unit_rows=2)[1] == run(tmp_path, TEXTS, model)[1]
    assert encoder.embedded == 7


def test_what_is_sent_of_the_work_is_little_and_embeds_the_same(tmp_path: Path, model: Encoder) -> None:
    store = PartStore(tmp_path / "store")
    run(tmp_path, TEXTS[:4], model, store)
    counts, sent = run(tmp_path, TEXTS, model, store, unit_rows=2, pool=SendingPool())
    assert counts.reused + counts.embedded == 9
    assert sent == run(tmp_path, TEXTS, model)[1]


def test_progress_ends_at_the_number_of_rows(tmp_path: Path, model: Encoder) -> None:
    seen: list[tuple[int, int | None]] = []
    texts = [*TEXTS, TEXTS[0], "你好"]
    source = write_input(tmp_path / "in.parquet", texts)
    listen = lambda done, total: seen.append((done, total))  # noqa: E731
    embed_texts(Checkpoint(source), tmp_path / "out", model, 3, None, listen, InlinePool(), 2)
    assert seen[-1] == (len(texts), len(texts))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


some_texts = st.lists(st.sampled_from([*TEXTS, "", "你好", "cat " * 30]) | st.text(max_size=20), max_size=20)


@settings(max_examples=30)  # each example writes files
@given(texts=some_texts, stored=some_texts, max_windows=st.integers(1, 3))
def test_the_bytes_do_not_hang_on_what_the_store_held(
    tmp_path_factory: pytest.TempPathFactory, model: Encoder, texts: list[str], stored: list[str], max_windows: int
) -> None:
    folder = tmp_path_factory.mktemp("run")
    store = PartStore(folder / "store")
    run(folder, stored, model, store, max_windows)
    counts, warm = run(folder, texts, model, store, max_windows)
    assert warm == run(folder, texts, model, max_windows=max_windows)[1]
    skipped = counts.empty, counts.unreadable, counts.over_long
    assert counts.rows == counts.embedded + counts.reused + sum(skipped) == len(texts)
