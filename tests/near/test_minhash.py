"""Signatures: the same for ever, and alike as the texts' 4-grams are."""

from __future__ import annotations

import random
import string

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entropyguard.core.arrays import UInt32s
from entropyguard.core.near.minhash import band_hashes


def hashes(texts: list[str], num_hashes: int = 4, bands: int = 2) -> UInt32s:
    return band_hashes(pl.Series(texts, dtype=pl.String), num_hashes, bands)


FOR_EVER = {
    "a": [3040193179, 1888332728],
    "ab": [1531389971, 1674614414],
    "abc": [938956612, 3622180081],
    "abcd": [3106722138, 185923602],
    "abcde": [3106722138, 995680759],
    "zażółć": [39475386, 1315831543],
    "東京タワー": [1680302391, 2323484511],
    "😀": [3973986736, 3070479558],
}


def test_signatures_are_those_that_stores_hold() -> None:
    assert hashes(list(FOR_EVER)).tolist() == list(FOR_EVER.values())


def test_more_bands_and_hashes_are_those_that_stores_hold() -> None:
    found = hashes(["the black cat sat under the table"], 128, 32)
    assert found.shape == (1, 32)
    assert found.dtype == np.dtype(np.uint32)
    assert found[0, [0, 1, 15, 30, 31]].tolist() == [3257604194, 3066335283, 1034583507, 3406039439, 2709420851]


@pytest.mark.parametrize("texts", [[], [""], ["", ""]])
def test_without_letters_there_is_still_a_row(texts: list[str]) -> None:
    assert hashes(texts).shape == (len(texts), 2)


@given(st.lists(st.text(st.sampled_from("ab京😀 "), max_size=6), max_size=8), st.integers(0, 300))
def test_a_text_has_the_same_hashes_whatever_comes_with_it(texts: list[str], before: int) -> None:
    together = hashes([*["ab"] * before, *texts])[before:]
    for text, found in zip(texts, together, strict=True):
        if text:
            assert found.tolist() == hashes([text])[0].tolist()


def test_texts_with_the_same_grams_have_the_same_hashes_and_others_have_not() -> None:
    found = hashes(["abcabcabcabc", "abcabcabcabcabcabc", "abcabcabcabd", "cbacbacbacba"], 128, 32)
    assert (found[0] == found[1]).all()
    assert (found[0] != found[2]).any()
    assert (found[0] != found[3]).all()


def grams(text: str) -> set[str]:
    return {text[at : at + 4] for at in range(len(text) - 3)}


@pytest.mark.parametrize("in_band", [1, 4])
def test_as_many_bands_agree_as_the_grams_that_the_texts_share_make_likely(in_band: int) -> None:
    chance = random.Random(in_band)
    likely, found = [], []
    for edits in [0, 1, 2, 4, 8, 16] * 60:
        text = chance.choices(string.ascii_lowercase, k=200)
        other = list(text)
        for at in chance.sample(range(200), edits):
            other[at] = "ä"
        one, two = grams("".join(text)), grams("".join(other))
        likely.append((len(one & two) / len(one | two)) ** in_band)
        ours = hashes(["".join(text), "".join(other)], 128, 128 // in_band)
        found.append(float((ours[0] == ours[1]).mean()))
    by_likely = np.array([likely, found])
    for edits in range(6):
        some = by_likely[:, edits::6].mean(axis=1)
        assert abs(some[0] - some[1]) < 0.03, some
    assert np.unique(by_likely[0].round(1)).size > 4
