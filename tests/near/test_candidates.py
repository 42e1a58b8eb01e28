"""Which pairs are compared word by word: those that agree in a band, but for what their numbers tell apart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from entropyguard.core.arrays import Ints, UInt32s
from entropyguard.core.near.band_units import band_units, columns_of_bands, find_candidates
from entropyguard.core.near.candidates import LARGE_BUCKET, LargeBuckets
from entropyguard.core.near.minhash import band_hashes
from entropyguard.core.near.pair_runs import PairRuns, as_pairs
from entropyguard.core.near.row_words import RowWords
from entropyguard.core.near.verdict import is_too_far_by_length, most_of_both
from entropyguard.core.near.word_bags import NO_DUPLICATE, Judge
from entropyguard.core.pool.pool import InlinePool
from entropyguard.core.words.split import Words
from tests.near.made_texts import NEAR, made_texts, row_words

Pairs = set[tuple[int, int]]


def search(
    folder: Path, texts: Sequence[str], hashes: UInt32s, rank: Ints | None = None, *, protect: bool = True
) -> tuple[Pairs, int]:
    """The candidates (lower row, higher row) of texts of hashes (bands, texts); capped buckets."""
    words = row_words(folder, texts)
    found = PairRuns(folder, 1 << 24)
    capped = search_bands(folder, words, hashes, rank, found, protect=protect)
    pairs = set()
    for batch in found.batches(1 << 16):
        later, earlier = as_pairs(batch)
        pairs |= set(zip(earlier.tolist(), later.tolist(), strict=True))
    assert all(a < b for a, b in pairs)
    return pairs, capped


def search_bands(
    folder: Path, words: RowWords, hashes: UInt32s, rank: Ints | None, found: PairRuns, *, protect: bool
) -> int:
    """Add the pairs of hashes (bands, texts) to those found; capped buckets."""
    none_alike = np.arange(len(words.words), dtype=np.uint32)[None]  # in place of the hash of all bands
    bands = np.concatenate([none_alike, hashes])
    columns_of_bands(folder, bands.shape[1], len(bands)).create()
    columns_of_bands(folder, bands.shape[1], len(bands)).write(0, {str(at): band for at, band in enumerate(bands)})
    if rank is not None:
        rank.tofile(folder / "rank")
    units = band_units(folder, bands.shape[1], len(bands), protect=protect, ranked=rank is not None)
    return find_candidates(units, words, found, InlinePool())


def agreeing(hashes: UInt32s) -> Pairs:
    """The pairs of rows that have the same hash in a band."""
    together: Pairs = set()
    for band in hashes:
        together |= {pair for pair in combinations(range(len(band)), 2) if band[pair[0]] == band[pair[1]]}
    return together


def numbers(words: Sequence[str]) -> list[str]:
    return sorted(found for word in words for found in re.findall(r"−?\d+(?:[.:/-]\d+)*", word.replace(",", "")))


@pytest.mark.parametrize("protect", [True, False])
def test_what_agrees_in_a_band_is_a_candidate_but_for_the_stated_limits(tmp_path: Path, protect: bool) -> None:
    texts = ["", "?!", *made_texts(150, seed=8), "- "]
    rng = np.random.default_rng(0)
    by_tens = np.arange(len(texts), dtype=np.uint32) // 10
    hashes = np.stack([rng.permutation(by_tens) for _ in range(8)])  # of any two texts, near or far
    together = agreeing(hashes)
    found, capped = search(tmp_path, texts, hashes, protect=protect)
    assert found <= together
    assert capped == 0
    bags = [bag.to_list() for bag in Words(pl.Series(texts)).words]
    words = row_words(tmp_path, texts)
    one, other = np.array(sorted(together)).T
    verdicts = Judge(words, replace(NEAR, changed_words="protect" if protect else "count")).judge(one, other)
    why: Counter[str] = Counter()
    for (a, b), verdict in zip(sorted(together), verdicts, strict=True):
        own, their = (Counter(bags[row]) - Counter(bags[further]) for row, further in ((a, b), (b, a)))
        replaced = min(own.total(), their.total())
        if not bags[a] or not bags[b]:
            reason = "no words"
        elif is_too_far_by_length(len(bags[a]), len(bags[b])):
            reason = "length"
        elif protect and numbers(bags[a]) != numbers(bags[b]) and len(numbers(bags[a])) == len(numbers(bags[b])):
            reason = "numbers"
        elif protect and replaced > most_of_both(min(words.counted[a], words.counted[b])) and (a, b) not in found:
            reason = "words"
        else:
            reason = "none"
        assert ((a, b) in found) is (reason == "none"), (texts[a], texts[b], reason)
        assert reason in {"none", "no words"} or verdict == NO_DUPLICATE  # nothing is lost by it
        why[reason] += 1
    assert all(why[reason] > 5 for reason in ["no words", "length", "none", *["numbers", "words"] * protect]), why


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ("1,200 books in 3 rooms", "1200 books in 3 rooms", True),
        ("1,200 books in 3 rooms", "3 rooms, 1,200 books", True),
        ("1,200 books in 3 rooms", "1,300 books in 3 rooms", False),
        ("1,200 books in 3 rooms", "1,200 books in many rooms", True),  # one was lost
        ("books of 1999", "books of 1998", False),
        ("5 books", "-5 books", False),
        ("a model3", "a model 3", True),
    ],
)
def test_as_many_numbers_but_others_are_told_apart_at_once(tmp_path: Path, one: str, other: str, found: bool) -> None:
    alike = np.zeros((1, 2), dtype=np.uint32)
    assert bool(search(tmp_path, [one, other], alike)[0]) is found
    assert search(tmp_path, [one, other], alike, protect=False)[0] == {(0, 1)}


def test_texts_that_share_their_bands_by_their_letters_are_found(tmp_path: Path) -> None:
    texts = made_texts(200, seed=9)
    hashes = band_hashes(Words(pl.Series(texts)).run_together(), 128, 32).T
    found, _ = search(tmp_path, texts, hashes)
    one, other = np.array(list(combinations(range(len(texts)), 2))).T
    words = row_words(tmp_path, texts)
    verdicts = Judge(words, NEAR).judge(one, other)
    near = {(int(one[at]), int(other[at])) for at in np.flatnonzero(verdicts > 900_000)}
    assert len(near) > 200
    assert len(near & found) > 0.97 * len(near)
    assert len(found) < 0.2 * len(verdicts)


def test_a_bucket_of_few_rows_gives_every_pair_and_one_row_more_makes_it_large(tmp_path: Path) -> None:
    alike = np.zeros((1, LARGE_BUCKET), dtype=np.uint32)
    found, capped = search(tmp_path, ["the same"] * LARGE_BUCKET, alike)
    assert (len(found), capped) == (LARGE_BUCKET * (LARGE_BUCKET - 1) // 2, 0)
    alike = np.zeros((1, LARGE_BUCKET + 1), dtype=np.uint32)
    found, capped = search(tmp_path, ["the same"] * (LARGE_BUCKET + 1), alike)
    assert len(found) < LARGE_BUCKET * (LARGE_BUCKET + 1) // 2
    assert capped == 1


def test_the_pairs_of_a_large_bucket_grow_as_its_rows_do(tmp_path: Path) -> None:
    counts = {}
    for rows in (2_000, 4_000):
        hashes = np.zeros((32, rows), dtype=np.uint32)
        hashes[1::2] = np.random.default_rng(0).integers(0, 2**32, (16, rows))
        found, capped = search(tmp_path, ["a text like all others"] * rows, hashes)
        assert capped == 16
        counts[rows] = len(found)
    assert counts[2_000] > 8 * 2_000
    assert counts[4_000] < 2.1 * counts[2_000]
    assert counts[4_000] < 30 * 4_000


@pytest.mark.parametrize("ranked", [False, True])
def test_every_row_of_a_large_bucket_is_compared_with_those_that_are_kept_first(tmp_path: Path, ranked: bool) -> None:
    rows = 100
    rank = np.random.default_rng(1).permutation(rows)
    hashes = np.zeros((1, rows), dtype=np.uint32)
    found, _ = search(tmp_path, ["a text like all others"] * rows, hashes, rank if ranked else None)
    in_order = np.argsort(rank).tolist() if ranked else list(range(rows))
    for first in in_order[:8]:
        assert {(min(first, row), max(first, row)) for row in range(rows) if row != first} <= found


def test_rows_of_a_large_bucket_that_agree_in_the_next_band_are_compared(tmp_path: Path) -> None:
    rows = 400
    following = np.random.default_rng(2).permutation(np.arange(rows, dtype=np.uint32) // 2)
    hashes = np.stack([np.zeros(rows, dtype=np.uint32), following + np.uint32(7)])
    words = row_words(tmp_path, ["a text like all others"] * rows)
    buckets = LargeBuckets(words, protect=True)
    all_rows = np.arange(rows)
    pairs = buckets.pairs(all_rows, np.zeros_like(all_rows), hashes[1])
    later, earlier = as_pairs(np.concatenate(list(pairs)))
    assert agreeing(hashes[1:]) <= set(zip(earlier.tolist(), later.tolist(), strict=True))
