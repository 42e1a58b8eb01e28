"""near_dedup as a whole: what is dropped and for which row, and what it costs to be asked again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from entropyguard.core.arrays import UInt32s
from entropyguard.core.decisions.greedy import KEPT
from entropyguard.core.errors import ProcessingError
from entropyguard.core.near import text_units
from entropyguard.core.near.minhash import band_hashes
from entropyguard.core.near.near_dedup import NearCounts, decide
from entropyguard.core.params import KeepParams
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parts import PartStore
from tests.near.made_texts import BIG, FIRST, NEAR, TEMPLATES, dedup, made_texts, outputs, small_units

TEXTS = made_texts(400)
Dropped = dict[int, tuple[int, float]]


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [row for table in Checkpoint(path).tables() for row in table.to_pylist()]


def pairs_of(folder: Path) -> dict[tuple[int, int], float]:
    rows = rows_of(folder / "pairs.parquet")
    assert [(row["row_b"], row["row_a"]) for row in rows] == sorted({(row["row_b"], row["row_a"]) for row in rows})
    return {(row["row_a"], row["row_b"]): row["similarity"] for row in rows}


def dropped_of(folder: Path) -> Dropped:
    return {row["row_id"]: (row["keeper_row_id"], row["similarity"]) for row in rows_of(folder / "dropped.parquet")}


def test_every_row_is_kept_or_dropped_for_a_kept_row_that_is_near_it(tmp_path: Path) -> None:
    counts = dedup(tmp_path, TEXTS)
    kept, dropped, pairs = rows_of(tmp_path / "out.parquet"), dropped_of(tmp_path), pairs_of(tmp_path)
    assert kept == [row for row in rows_of(tmp_path / "rows.parquet") if row["row_id"] not in dropped]
    assert (counts.rows, counts.kept, counts.dropped) == (len(TEXTS), len(kept), len(dropped))
    assert len(kept) + len(dropped) == len(TEXTS)
    assert len(dropped) > 100
    for row, (keeper, similarity) in dropped.items():
        assert pairs[min(row, keeper), max(row, keeper)] == similarity >= NEAR.threshold
    assert {keeper for keeper, _ in dropped.values()} <= {row["row_id"] for row in kept}
    assert {row["reason"] for row in rows_of(tmp_path / "dropped.parquet")} == {"near"}
    assert min(pairs.values()) < 0.85
    assert min(pairs.values()) >= 0.75
    told = {"floor": 0.75, "judged": counts.judged, "capped_buckets": counts.capped_buckets}
    assert Checkpoint(tmp_path / "dropped.parquet").metadata == {"near": told}
    assert Checkpoint(tmp_path / "pairs.parquet").metadata["near"].items() <= told.items()
    assert counts.capped_buckets > 0
    assert Checkpoint(tmp_path / "out.parquet").metadata == Checkpoint(tmp_path / "rows.parquet").metadata


def test_a_second_pass_drops_nothing_but_what_the_first_one_would_not_compare(tmp_path: Path) -> None:
    texts = TEXTS[:60]
    dedup(tmp_path, texts)
    dropped = dropped_of(tmp_path)
    again = tmp_path / "again"
    again.mkdir()
    assert len(dropped) > 5
    assert dedup(again, [text for at, text in enumerate(texts) if 3 * at not in dropped]).dropped == 0


def test_of_many_rows_alike_in_each_band_those_alike_in_all_find_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def few_hashes(texts: pl.Series, num_hashes: int, bands: int) -> UInt32s:
        """In each band one of two hashes: a bit of the number at the end of the text."""
        numbers = texts.str.split(" ").list.last().cast(pl.UInt32).to_numpy()
        return np.stack([numbers >> np.uint32(band % 6) & np.uint32(1) for band in range(bands)], axis=1)

    monkeypatch.setattr(text_units, "band_hashes", few_hashes)
    said = [f"{TEMPLATES[5]} {number}" for number in range(64)]
    counts = dedup(tmp_path, [*said, *(text.upper() for text in said), *(f"({text})" for text in said)])
    assert {row: keeper for row, (keeper, _) in dropped_of(tmp_path).items()} == {
        3 * (at + copy * 64): 3 * at for at in range(64) for copy in (1, 2)
    }
    assert counts.capped_buckets == 64


ONE = "The river near the old castle is cold in winter and warm in summer"
APART = [
    ONE,
    ONE.replace("river", "brook"),
    ONE + " not",
    ONE + " since 1987",
    ONE.replace("old", "old, red, red"),
    ONE + " 😀",
    ONE.replace("summer", "sumer") + " 🙈",
    ONE.lower() + " today",
]


def test_only_what_lacks_nothing_that_matters_goes(tmp_path: Path) -> None:
    counts = dedup(tmp_path, APART)
    assert {row // 3 for row in dropped_of(tmp_path)} == {5, 6, 7}
    assert counts.kept == 5


@pytest.mark.parametrize("texts", [[], [""], ["", " ", "?!"], ["one"]])
def test_texts_of_no_words_and_no_texts_are_no_trouble(tmp_path: Path, texts: list[str]) -> None:
    counts = dedup(tmp_path, texts, store=PartStore(tmp_path / "near"))
    assert counts == NearCounts(len(texts), len(texts), 0, 0, 0, 0)
    assert len(rows_of(tmp_path / "out.parquet")) == len(texts)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The outputs for TEXTS, without a store."""
    folder = tmp_path_factory.mktemp("expected")
    dedup(folder, TEXTS)
    return outputs(folder)


def test_no_byte_depends_on_store_memory_or_cut(tmp_path: Path, expected: list[bytes]) -> None:
    store = PartStore(tmp_path / "near")
    for max_memory, group_rows in ((BIG, 7), (20_000, 100)):
        for given in (store, None):
            dedup(tmp_path, TEXTS, store=given, max_memory=max_memory, group_rows=group_rows)
            assert outputs(tmp_path) == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "dropped.parquet",
        "near",
        "out.parquet",
        "pairs.parquet",
        "rows.parquet",
    ]


def test_no_byte_depends_on_the_number_of_threads(tmp_path: Path, expected: list[bytes]) -> None:
    code = (
        "import pathlib, sys, polars; from tests.near.made_texts import *; "
        "dedup(pathlib.Path(sys.argv[1]), made_texts(400)); print(polars.thread_pool_size())"
    )
    threads = "1" if pl.thread_pool_size() > 1 else "3"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env={**os.environ, "POLARS_MAX_THREADS": threads},
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout.strip() == threads
    assert outputs(tmp_path) == expected


def test_a_threshold_of_zero_copies_the_rows_and_finds_nothing(tmp_path: Path) -> None:
    counts = dedup(tmp_path, TEXTS[:30], replace(NEAR, threshold=0), store=PartStore(tmp_path / "near"))
    assert counts == NearCounts(30, 30, 0, 0, 0, 0)
    assert (tmp_path / "out.parquet").read_bytes() == (tmp_path / "rows.parquet").read_bytes()
    assert not pairs_of(tmp_path)
    assert not dropped_of(tmp_path)
    assert not (tmp_path / "near").exists()


@pytest.mark.parametrize("threshold", [0.75, 0.8, 0.9, 1.0])
def test_what_another_threshold_would_drop_is_decided_from_the_pairs(tmp_path: Path, threshold: float) -> None:
    dedup(tmp_path, TEXTS)
    pairs = (tmp_path / "pairs.parquet").read_bytes()
    rows, other = Checkpoint(tmp_path / "rows.parquet"), replace(NEAR, threshold=threshold)
    before = len(dropped_of(tmp_path))
    found = decide(rows, Checkpoint(tmp_path / "pairs.parquet"), other, FIRST, BIG)
    lost = np.flatnonzero(found.keeper != KEPT)
    ids = found.row_ids
    decided = {int(ids[row]): (int(ids[found.keeper[row]]), float(found.similarity[row])) for row in lost}
    counts = dedup(tmp_path, TEXTS, other)
    assert decided == dropped_of(tmp_path)
    assert (counts.dropped > before) is (threshold < 0.85)
    assert (tmp_path / "pairs.parquet").read_bytes() == pairs


def test_below_the_floor_of_the_pairs_the_rows_must_be_compared_again(tmp_path: Path) -> None:
    count = replace(NEAR, changed_words="count")
    low = replace(count, threshold=0.7)
    dedup(tmp_path, TEXTS, count)
    pairs = pairs_of(tmp_path)
    with pytest.raises(ProcessingError, match=r"near\.threshold is 0\.7, but pairs\.parquet holds pairs from 0\.75 up"):
        decide(Checkpoint(tmp_path / "rows.parquet"), Checkpoint(tmp_path / "pairs.parquet"), low, FIRST, BIG)
    dedup(tmp_path, TEXTS, low)
    more = pairs_of(tmp_path)
    assert {pair: similarity for pair, similarity in more.items() if similarity >= 0.75} == pairs
    assert min(more.values()) < 0.75


def source_order(at: int) -> int:
    """Rows of source c, then those of a, then the others."""
    return {"c": 0, "a": 1, "b": 2}["abc"[at % 3]]


Order = Callable[[int], tuple[int, ...]]


@pytest.mark.parametrize(
    ("keep", "order"),
    [
        (FIRST, lambda at: (at,)),
        (KeepParams("longest", "", ()), lambda at: (-len(TEXTS[at]), at)),
        (KeepParams("shortest", "", ()), lambda at: (len(TEXTS[at]), at)),
        (KeepParams("column:n", "", ()), lambda at: (-at,)),
        (KeepParams("first", "from", ("c", "a")), lambda at: (source_order(at), at)),
        (KeepParams("longest", "from", ("c", "a")), lambda at: (source_order(at), -len(TEXTS[at]), at)),
    ],
)
@pytest.mark.parametrize("max_memory", [1_000, BIG])
def test_in_the_order_of_priority_a_row_goes_for_the_most_similar_one_that_stays(
    tmp_path: Path, keep: KeepParams, order: Order, max_memory: int
) -> None:
    texts = TEXTS[:150]
    dedup(tmp_path, texts, keep=keep, max_memory=max_memory)
    near = {pair: similarity for pair, similarity in pairs_of(tmp_path).items() if similarity >= NEAR.threshold}
    kept: list[int] = []
    dropped: Dropped = {}
    for row in sorted(range(0, 3 * len(texts), 3), key=lambda row: order(row // 3)):
        by_keeper = {keeper: near.get((min(row, keeper), max(row, keeper)), 0.0) for keeper in kept}
        most = max(by_keeper.values(), default=0.0)
        if most:
            dropped[row] = (min(keeper for keeper, similarity in by_keeper.items() if similarity == most), most)
        else:
            kept.append(row)
    assert dropped_of(tmp_path) == dropped


def test_an_append_compares_only_pairs_with_a_new_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("entropyguard.core.near.candidates.LARGE_BUCKET", 1000)
    store = PartStore(tmp_path / "near")
    first = dedup(tmp_path, TEXTS[:300], store=store)
    assert (first.judged > 500, first.reused) == (True, 0)
    both = dedup(tmp_path, TEXTS, store=store)
    assert both.reused == first.judged
    assert both.judged > 0
    with_store = outputs(tmp_path)
    alone = dedup(tmp_path, TEXTS)
    assert (alone.judged, alone.reused) == (both.judged + both.reused, 0)
    assert outputs(tmp_path) == with_store
    again = dedup(tmp_path, TEXTS, store=store)
    assert (again.judged, again.reused) == (0, alone.judged)
    reverse = dedup(tmp_path, TEXTS[::-1], store=store)  # a pair is the same one, whichever of its texts comes first
    assert reverse.judged < 0.01 * reverse.reused
    again = dedup(tmp_path, TEXTS, store=store)
    fewer = dedup(tmp_path, TEXTS[100:], store=store)
    assert 0 < fewer.reused < alone.judged
    assert fewer.judged < 0.01 * fewer.reused  # what is worth a comparison depends on the other rows, by a hair


class Hashed:
    """How many texts got their signatures made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.texts = 0
        monkeypatch.setattr(text_units, "band_hashes", self)

    def __call__(self, texts: pl.Series, num_hashes: int, bands: int) -> UInt32s:
        self.texts += len(texts)
        return band_hashes(texts, num_hashes, bands)


def test_an_append_makes_only_the_signatures_of_new_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed, store = Hashed(monkeypatch), PartStore(tmp_path / "near")
    for texts, made in ((TEXTS[:300], 300), (TEXTS, 100), (TEXTS[::-1], 0), ([*TEXTS[50:], "new"], 1)):
        hashed.texts = 0
        dedup(tmp_path, texts, store=store)
        assert hashed.texts == made


def test_a_damaged_part_of_the_store_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: list[bytes]
) -> None:
    hashed, store = Hashed(monkeypatch), PartStore(tmp_path / "near")
    counts = dedup(tmp_path, TEXTS, store=store)
    parts = sorted((tmp_path / "near").rglob("*.parquet"))
    assert len(parts) == 2
    before = [part.read_bytes() for part in parts]
    for damaged, (texts, judged) in zip(parts, [(len(TEXTS), 0), (0, counts.judged)], strict=True):
        damaged.write_bytes(damaged.read_bytes()[:-300] + bytes(300))
        hashed.texts = 0
        again = dedup(tmp_path, TEXTS, store=store)
        assert (hashed.texts, again.judged) == (texts, judged)
        assert outputs(tmp_path) == expected
        assert [part.read_bytes() for part in parts] == before


@pytest.mark.parametrize("half", ["reading", "judging"])
def test_a_killed_run_goes_on_with_what_was_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: list[bytes], half: str
) -> None:
    small_units(monkeypatch)
    hashed, store = Hashed(monkeypatch), PartStore(tmp_path / "near")

    def die(done: int, total: int | None) -> None:
        if done > len(TEXTS) * {"reading": 0.2, "judging": 0.8}[half]:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        dedup(tmp_path, TEXTS, store=store, progress=die)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["near"]
    made, hashed.texts = hashed.texts, 0
    counts = dedup(tmp_path, TEXTS, store=store)
    assert outputs(tmp_path) == expected
    if half == "reading":
        assert len(TEXTS) <= made + hashed.texts <= len(TEXTS) + 40  # but for the unit that was under way
        assert 100 < made < 300
        assert counts.reused == 0
    else:
        assert hashed.texts == 0
        assert counts.judged > 0
        assert counts.reused > 0.3 * counts.judged
    assert len(list((tmp_path / "near").rglob("*.parquet"))) == 2


SETTINGS = [
    NEAR,
    replace(NEAR, min_words=3),
    replace(NEAR, changed_words="count"),
    replace(NEAR, protect_numbers=True),
    replace(NEAR, num_hashes=64),
    replace(NEAR, num_hashes=64, bands=16),
    replace(NEAR, threshold=0.6),
]


def test_what_is_stored_under_one_setting_serves_no_other(tmp_path: Path) -> None:
    texts, store, alone = TEXTS[:150], PartStore(tmp_path / "near"), {}
    for setting in SETTINGS:
        alone[setting] = dedup(tmp_path, texts, setting), outputs(tmp_path)
    for setting in chain.from_iterable((setting, NEAR) for setting in SETTINGS):
        counts, found = dedup(tmp_path, texts, setting, store=store), outputs(tmp_path)
        expected, bytes_alone = alone[setting]
        assert found == bytes_alone
        assert replace(counts, judged=counts.judged + counts.reused, reused=0) == expected
    assert len({tuple(found[1:]) for _, found in alone.values()}) == len(SETTINGS)


def test_progress_never_goes_back_and_ends_at_all_rows(tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    dedup(tmp_path, TEXTS, progress=lambda done, total: seen.append((done, total)), group_rows=30)
    assert seen[-1] == (len(TEXTS), len(TEXTS))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert {total for _, total in seen} == {len(TEXTS)}
