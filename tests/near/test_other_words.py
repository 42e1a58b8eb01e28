"""Which pairs of texts are spared a comparison of their own words: only such as would come out as replaced."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entropyguard.core.near import other_words
from entropyguard.core.near.other_words import Side, may_be_same
from entropyguard.core.near.vocabulary import Vocabulary
from entropyguard.core.words.difference import find_difference

Pair = tuple[Sequence[str], Sequence[str]]

# Of few letters, so that many words are others misspelt, and many are written together from others.
WORDS = st.lists(st.text("ab,12", min_size=1, max_size=5), min_size=1, max_size=4)


def asked(pairs: Sequence[Pair]) -> list[bool]:
    vocabulary = Vocabulary()

    def side(which: int) -> Side:
        words = pl.Series([sorted(set(pair[which])) for pair in pairs], dtype=pl.List(pl.String))
        pair = np.repeat(np.arange(len(pairs)), words.list.len().to_numpy())
        return Side(pair, vocabulary.numbered(words.explode()))

    own, their = side(0), side(1)
    answers: list[bool] = may_be_same(own, their, len(pairs), vocabulary.known()).tolist()
    return answers


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=8), st.sampled_from((3, 30)))
def test_none_is_spared_that_lacks_words_on_one_side_alone(pairs: list[Pair], counted: int) -> None:
    for (own, others), may_be in zip(pairs, asked(pairs), strict=True):
        assert may_be or find_difference(own, others, counted).replaced


@pytest.mark.parametrize(
    ("own", "others", "expected"),
    [
        (["word"], ["wrod"], True),
        (["word"], ["words"], True),
        (["word"], ["ward"], False),
        (["word", "green"], ["wrod", "blue"], False),
        (["word"], ["wrod", "blue"], True),
        (["database"], ["data", "base"], True),
        (["database"], ["data", "lake"], False),
        (["upanddown", "green"], ["up", "and", "down"], True),
        (["1,200"], ["1200"], True),
    ],
)
def test_what_is_looked_at(own: list[str], others: list[str], expected: bool) -> None:
    assert asked([(own, others), (others, own)]) == [expected, expected]


def test_the_answer_is_the_same_in_small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs: list[Pair] = [
        (["word", "green"], ["wrod", "blue"]),
        (["database"], ["data", "base"]),
        (["a", "b", "c"], ["d", "e", "f"]),
        (["word"], ["wrod"]),
    ]
    assert asked(pairs) == [False, True, False, True]
    monkeypatch.setattr(other_words, "_CROSSED_TOGETHER", 4)
    assert asked(pairs) == [False, True, True, True]  # what is too large for a block is looked at word by word
