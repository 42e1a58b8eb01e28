"""What people are told of two texts: the words that only one has, and those that are spelled or placed differently."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from entropyguard.core.near.word_bags import NO_DUPLICATE, Judge
from entropyguard.core.words.word_diff import WordDiff, word_diff
from tests.near.made_texts import NEAR, made_texts, row_words

CAT = "The black cat sat under the old wooden table"


@pytest.mark.parametrize(
    ("text", "other", "expected"),
    [
        (CAT, CAT, WordDiff(1.0, (), (), (), reordered=False)),
        (CAT, CAT.upper() + " !", WordDiff(1.0, (), (), (), reordered=False)),
        (CAT, CAT.replace("old ", ""), WordDiff(0.941176, (), ("old",), (), reordered=False)),
        (CAT.replace("old ", ""), CAT, WordDiff(0.941176, ("old",), (), (), reordered=False)),
        (CAT, CAT.replace("table", "tabel"), WordDiff(0.977778, (), (), (("table", "tabel"),), reordered=False)),
        (CAT.replace("table", "tabel"), CAT, WordDiff(0.977778, (), (), (("tabel", "table"),), reordered=False)),
        (CAT, CAT.replace("old", "new"), WordDiff(0.888889, ("new",), ("old",), (), reordered=False)),
        (
            "a casestudy of mice",
            "a case study of mice",
            WordDiff(0.955556, (), (), (("casestudy", "case study"),), reordered=False),
        ),
        (
            "a case study of mice",
            "a casestudy of mice",
            WordDiff(0.955556, (), (), (("case study", "casestudy"),), reordered=False),
        ),
        (
            "a casestudy for a casestudy",
            "a cases tudy for a cas estudy",
            WordDiff(0.933333, (), (), (("casestudy", "cas estudy"), ("casestudy", "cases tudy")), reordered=False),
        ),
        ("red and green", "green and red", WordDiff(1.0, (), (), (), reordered=True)),
        ("red and green", "green and", WordDiff(0.8, (), ("red",), (), reordered=True)),
        ("", "", WordDiff(1.0, (), (), (), reordered=False)),
        ("one", "", WordDiff(0.0, (), ("one",), (), reordered=False)),
        ("東京 3", "東京 4", WordDiff(0.666667, ("4",), ("3",), (), reordered=False)),
        # two letters are one word, and eight words are too few to be bold
        (
            "the 東京夏暑毎年月家族海行春秋冬",
            "teh 東京夏暑毎年月家族海行春秋冬",
            WordDiff(0.933333, ("teh",), ("the",), (), reordered=False),
        ),
        ("$5", "€5", WordDiff(1.0, (), (), (), reordered=False)),  # marks are no words
    ],
)
def test_what_two_texts_differ_in(text: str, other: str, expected: WordDiff) -> None:
    assert word_diff(text, other) == expected


def test_words_come_in_the_order_of_their_text_as_often_as_they_are_missing() -> None:
    found = word_diff("zebra ant kept zebra mouse", "kept yak bear yak ant")
    assert found.extra == ("zebra", "zebra", "mouse")
    assert found.missing == ("yak", "yak", "bear")
    assert found.reordered
    spelled = word_diff("window before summer", "smumer wnidow before")
    assert spelled.misspelt == (("window", "wnidow"), ("summer", "smumer"))


def test_of_every_pair_of_near_duplicates_the_same_similarity_is_told_and_what_it_is_made_of(tmp_path: Path) -> None:
    texts = made_texts(140, seed=7)
    one, other = np.array(list(combinations(range(len(texts)), 2))).T
    words = row_words(tmp_path, texts)
    verdicts = Judge(words, NEAR).judge(one, other)
    kinds: Counter[str] = Counter()
    for at in np.flatnonzero(verdicts != NO_DUPLICATE):
        text, near = texts[one[at]], texts[other[at]]
        found, back = word_diff(text, near), word_diff(near, text)
        assert round(found.similarity * 1_000_000) == verdicts[at], (text, near)
        assert not (found.missing and found.extra)
        assert (back.missing, back.extra, back.similarity) == (found.extra, found.missing, found.similarity)
        assert sorted(back.misspelt) == sorted(pair[::-1] for pair in found.misspelt)
        kinds.update(kind for kind in ("missing", "extra", "misspelt", "reordered") if getattr(found, kind))
    assert min(kinds[kind] for kind in ("missing", "extra", "misspelt", "reordered")) > 10, kinds
