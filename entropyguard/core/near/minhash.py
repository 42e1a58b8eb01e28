"""MinHash signatures of texts, as hashes of bands: texts that agree in a band share most of their character 4-grams.

A. Broder, On the resemblance and containment of documents, 1997; banding: Leskovec, Rajaraman and Ullman, Mining of
Massive Datasets, chapter 3. The hashes are multiplications modulo 2**32 by constants of our own, so that a stored
signature holds for ever.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from entropyguard.core.arrays import Ints, UInt32s

MINHASH_VERSION = 1
"""Raised when a text gets another signature."""

_GRAM = 4
_LETTER = [np.uint32(constant) for constant in (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F)]
_MIX = np.uint32(0x2C1B3C6D)
_CHARACTERS_TOGETHER = 1 << 17  # their 4-grams stay in the processor's cache


def band_hashes(texts: pl.Series, num_hashes: int, bands: int) -> UInt32s:
    """Shape (texts, bands): in each band a hash of `num_hashes / bands` MinHashes over the text's character 4-grams.

    A text of fewer than four characters is one gram. Of an empty one the hashes say nothing.
    """
    factors = _odd_constants(num_hashes)
    signatures = np.zeros((len(texts), num_hashes), dtype=np.uint32)
    ends = np.cumsum(texts.str.len_chars().to_numpy(), dtype=np.int64)
    start = 0
    while start < len(texts):
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + _CHARACTERS_TOGETHER, side="right")))
        grams, starts, some = _grams(texts[start:stop])
        if len(some):
            signatures[start + some] = _minima(grams, starts, factors).T
        start = stop
    return _banded(signatures.reshape(len(texts), bands, num_hashes // bands))


def _odd_constants(count: int) -> UInt32s:
    """The same odd numbers for ever: steps of a Weyl sequence, mixed (splitmix64)."""
    step = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    step = (step ^ (step >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    step = (step ^ (step >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (step >> np.uint64(32)).astype(np.uint32) | np.uint32(1)


def _grams(texts: pl.Series) -> tuple[UInt32s, Ints, Ints]:
    """The hashed 4-grams of the texts one after another, where each text's begin, and which texts have any."""
    letters = np.frombuffer("".join(texts.to_list()).encode("utf-32-le"), dtype="<u4")
    lengths = texts.str.len_chars().to_numpy().astype(np.int64)
    some = np.flatnonzero(lengths)
    ends = np.cumsum(lengths)
    hashed = letters * _LETTER[0]
    for further in range(1, _GRAM):
        hashed[:-further] += letters[further:] * _LETTER[further]
    hashed ^= hashed >> np.uint32(15)
    hashed *= _MIX
    hashed ^= hashed >> np.uint32(12)
    inside = np.ones(len(letters), dtype=np.bool_)  # of the text: a gram that begins in one must end in it
    for back in range(1, _GRAM):
        inside[ends[lengths > back] - back] = False
    grams = np.maximum(lengths[some] - _GRAM + 1, 1)
    for at in np.flatnonzero(lengths[some] < _GRAM):  # one gram, of what there is
        text = some[at]
        short = letters[ends[text] - lengths[text] : ends[text]]
        inside[ends[text] - lengths[text] : ends[text]] = False
        inside[ends[text] - lengths[text]] = True
        hashed[ends[text] - lengths[text]] = np.sum(short * np.array(_LETTER[: len(short)])) * _MIX
    return hashed[inside], np.cumsum(grams) - grams, some


def _minima(grams: UInt32s, starts: Ints, factors: UInt32s) -> UInt32s:
    """Shape (factors, texts): of each text the least product of its grams with each factor."""
    product = np.empty_like(grams)
    minima = np.empty((len(factors), len(starts)), dtype=np.uint32)
    for factor, minimum in zip(factors, minima, strict=True):
        np.multiply(grams, factor, out=product)
        np.minimum.reduceat(product, starts, out=minimum)
    return minima


def _banded(signatures: UInt32s) -> UInt32s:
    """One hash of the MinHashes of each band."""
    hashed = np.zeros(signatures.shape[:2], dtype=np.uint32)
    for at in range(signatures.shape[2]):
        hashed = (hashed ^ signatures[:, :, at]) * _LETTER[at % _GRAM]
        hashed ^= hashed >> np.uint32(15)
    return hashed
