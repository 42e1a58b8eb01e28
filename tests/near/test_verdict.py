"""The verdict on pairs: the rules one by one, and all pairs of many texts against a plain reading of the rules."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import combinations, product
from math import ceil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from entropyguard.core.near.verdict import allows, is_too_far_by_length, most_of_both
from entropyguard.core.near.word_bags import NO_DUPLICATE, Judge
from entropyguard.core.params import NearParams
from entropyguard.core.words.difference import find_difference, similarity
from entropyguard.core.words.numbers import is_number
from entropyguard.core.words.split import IDEOGRAPHIC, UNSPACED, Words
from tests.near.made_texts import NEAR, made_texts, row_words

NO = NO_DUPLICATE
COUNT = replace(NEAR, changed_words="count")


def judged(folder: Path, texts: Sequence[str], near: NearParams = NEAR) -> dict[tuple[int, int], int]:
    """The verdict on every pair of the texts, the same from both sides."""
    pairs = list(combinations(range(len(texts)), 2))
    one, other = np.array(pairs).T
    words = row_words(folder, texts)
    judge = Judge(words, near)
    verdicts = judge.judge(one, other)
    assert (judge.judge(other, one) == verdicts).all()
    return dict(zip(pairs, verdicts.tolist(), strict=True))


def verdict(folder: Path, one: str, other: str, near: NearParams = NEAR) -> int:
    return judged(folder, [one, other], near)[0, 1]


def text(words: int, *further: str) -> str:
    """So many words, of which none is like another, and further ones in their midst."""
    made = [f"{first}{second}orm" for first in "bcdfghjklmnp" for second in "aeiou"]
    return " ".join([*made[: words // 2], *further, *made[words // 2 : words]])


def lost(missing: float, words: int) -> int:
    """The similarity where so much of the words of both texts is missing."""
    return round(1_000_000 * (1 - missing / words))


@pytest.mark.parametrize("words", [5, 8, 12, 20, 50])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("spanish", "finnish"),
        ("west", "east"),
        ("1.32", "1.35"),
        ("2024-05-01", "2024-05-02"),
        ("7", "\u22127"),
        ("1,200", "1,300"),
        ("v1", "v2"),
        ("seven", "7"),
        ("三", "四"),
        ("猫", "犬"),
        ("$", "€"),
        ("+", "*"),
        ("==", "!="),
        ("😀", "😡"),
        ("not", "now"),
        ("can", "cannot"),
        ("with", "without"),
        ("g", "kg"),
        ("?", "%"),
        ("c++", "c#"),
    ],
)
def test_a_replaced_word_number_or_mark_makes_another_text(tmp_path: Path, words: int, one: str, other: str) -> None:
    texts = text(words, one), text(words, other)
    assert verdict(tmp_path, *texts) == NO
    assert verdict(tmp_path, *texts, replace(NEAR, min_words=0)) == NO
    assert verdict(tmp_path, texts[0], texts[0].upper()) == 1_000_000


def test_where_changed_words_count_they_are_missing_on_both_sides(tmp_path: Path) -> None:
    one, other = text(19, "spanish"), text(19, "finnish")
    assert verdict(tmp_path, one, other, COUNT) == lost(2, 40)
    assert verdict(tmp_path, text(7, "spanish"), text(7, "finnish"), COUNT) == lost(2, 16)
    assert verdict(tmp_path, text(6, "spanish"), text(6, "finnish"), COUNT) == NO  # below min_words


@pytest.mark.parametrize("near", [NEAR, COUNT])
@pytest.mark.parametrize("word", ["not", "never", "without", "nie", "kein", "не", "不", "don't"])
@pytest.mark.parametrize("words", [8, 30, 60])
def test_a_negation_may_never_be_missing(tmp_path: Path, near: NearParams, word: str, words: int) -> None:
    assert verdict(tmp_path, text(words), text(words, word), near) == NO


@pytest.mark.parametrize("number", ["7", "1,200", "v2", "\u22123", "२", "三"])
def test_a_number_may_be_missing_in_a_long_text_alone(tmp_path: Path, number: str) -> None:
    for near in (NEAR, COUNT):
        assert verdict(tmp_path, text(19), text(19, number), near) == NO
        assert verdict(tmp_path, text(20), text(20, number), near) == lost(1, 41)
        protected = replace(near, protect_numbers=True)
        assert verdict(tmp_path, text(40), text(40, number), protected) == NO


def test_a_word_may_be_missing_from_min_words_on(tmp_path: Path) -> None:
    assert verdict(tmp_path, text(7), text(8)) == NO
    assert verdict(tmp_path, text(8), text(9)) == lost(1, 17)
    assert verdict(tmp_path, text(7), text(8), replace(NEAR, min_words=7)) == lost(1, 15)
    assert verdict(tmp_path, text(8), text(9), replace(NEAR, min_words=9)) == NO


def test_a_word_that_stands_twice_in_a_short_text_and_not_in_the_other_is_its_topic(tmp_path: Path) -> None:
    for near in (NEAR, COUNT):
        assert verdict(tmp_path, text(49), text(49, "arm", "arm"), near) == NO
        assert verdict(tmp_path, text(50), text(50, "arm", "arm"), near) == lost(2, 102)
        assert verdict(tmp_path, text(20, "arm"), text(20, "arm", "arm", "arm"), near) == lost(2, 44)
        assert verdict(tmp_path, text(20), text(20, "arm", "bus"), near) == lost(2, 42)
        assert verdict(tmp_path, text(20), text(20, "+ +"), near) == lost(0, 40)  # marks are no topic,
        assert verdict(tmp_path, text(20), text(20, "京京"), near) == lost(2, 42)  # nor is half a word


def test_a_number_that_a_text_has_three_times_may_never_be_missing(tmp_path: Path) -> None:
    for near in (NEAR, COUNT):
        assert verdict(tmp_path, text(54), text(54, "7 7"), near) == lost(2, 110)
        assert verdict(tmp_path, text(54), text(54, "7 7 7"), near) == NO
        assert verdict(tmp_path, text(54, "7"), text(54, "7 7 7"), near) == lost(2, 112)
        assert verdict(tmp_path, text(53, "receive"), text(53, "recieve 7 7 7"), near) == NO
        assert verdict(tmp_path, text(53, "receive"), text(53, "recieve 7 7"), near) == lost(2.4, 110)


def test_letters_of_a_script_without_spaces_are_half_a_word_or_a_third_where_words_are_counted(tmp_path: Path) -> None:
    thai = "กขฃคฅฆงจฉชซฌญฎฏฐฑฒณดตถทธ"
    assert verdict(tmp_path, thai[:21], thai[:20]) == NO  # 7 words
    assert verdict(tmp_path, thai[:23], thai[:22]) == lost(1, 45)
    letters = "東京夏暑毎年月家族海行春秋冬"
    assert verdict(tmp_path, letters[:14], letters[:13]) == NO  # 7 of 8 words
    assert verdict(tmp_path, letters + "花山", letters + "花") == lost(1, 31)
    assert verdict(tmp_path, letters + "花山", letters + "花空") == NO


def test_the_words_of_a_text_must_stand_in_the_same_order_until_it_is_long(tmp_path: Path) -> None:
    for words in (1, 4, 7):
        assert verdict(tmp_path, text(words), text(words).upper() + "!") == 1_000_000
    assert verdict(tmp_path, "dog bites man", "man bites dog") == NO
    for words, further, of_one, of_two in (
        (11, 1, NO, NO),
        (12, 1, 1, NO),
        (19, 1, 1, NO),
        (20, 1, 1, 1),
        (19, 2, 1, NO),
    ):
        ordered = text(words).split()
        one_moved = [*ordered[1:6], ordered[0], *ordered[6:]]
        two_moved = [*one_moved[:8], *one_moved[9:], one_moved[8]]
        for moved, expected in ((one_moved, of_one), (two_moved, of_two)):
            for missing in range(further):
                same = expected if expected == NO else lost(missing, 2 * words - missing)
                assert verdict(tmp_path, text(words), " ".join(moved[missing:])) == same, (words, missing)
    later = replace(NEAR, min_words=25)
    assert verdict(tmp_path, text(24), " ".join(reversed(text(24).split())), later) == NO
    assert verdict(tmp_path, text(25), " ".join(reversed(text(25).split())), later) == 1_000_000


def test_a_misspelt_word_counts_four_tenths_from_min_words_on(tmp_path: Path) -> None:
    assert verdict(tmp_path, text(6, "receive"), text(6, "recieve")) == NO
    assert verdict(tmp_path, text(7, "receive"), text(7, "recieve")) == lost(0.4, 16)
    assert verdict(tmp_path, text(4, "receive"), text(4, "recieve"), replace(NEAR, min_words=5)) == lost(0.4, 10)
    assert verdict(tmp_path, "may " + text(7, "receive"), "recieve " + text(7, "may")) == NO  # in another order
    assert verdict(tmp_path, text(7, "caseutils"), text(7, "case", "utils")) == lost(0.4, 17)
    assert verdict(tmp_path, text(8, "receive", "believe"), text(8, "recieve", "beleive")) == lost(0.8, 20)
    assert verdict(tmp_path, text(8, "receive", "house"), text(8, "recieve")) == lost(1.4, 19)
    assert verdict(tmp_path, text(8, "receive", "house"), text(8, "recieve", "garden")) == NO


def test_a_number_that_stands_three_times_may_not_be_missing_from_the_longest_text(tmp_path: Path) -> None:
    long = text(60)
    assert verdict(tmp_path, long + " 7 7", long) == lost(2, 122)
    assert verdict(tmp_path, long + " 7 7 7", long) == NO
    assert verdict(tmp_path, long + " 7 7 7", long + " 7") == lost(2, 124)
    assert verdict(tmp_path, long + " again again again", long) == lost(3, 123)


def test_in_a_long_text_two_numbers_may_move_but_not_change_places(tmp_path: Path) -> None:
    words = text(40).split(" ")
    one = " ".join([*words[:10], "2", *words[10:20], "3", *words[20:]])
    swapped = " ".join([*words[:10], "3", *words[10:20], "2", *words[20:]])
    moved = " ".join([*words[:10], "2", *words[11:20], "3", words[10], *words[20:]])
    assert verdict(tmp_path, one, swapped) == NO
    assert verdict(tmp_path, one, moved) == lost(0, 84)
    assert verdict(tmp_path, one, " ".join([one, *words[:1]])) == lost(1, 85)


def test_a_question_is_not_its_answer_in_a_short_text(tmp_path: Path) -> None:
    short = text(11)
    assert verdict(tmp_path, short + "?", short + ".") == NO
    assert verdict(tmp_path, short + "??", short + "?") == lost(0, 22)
    assert verdict(tmp_path, text(12) + "?", text(12) + ".") == lost(0, 24)


def test_unlikely_misspellings_are_such_in_a_longer_text_alone(tmp_path: Path) -> None:
    for one, other in (("1,200", "1200"), ("the", "teh"), ("receive", "eceive")):
        assert verdict(tmp_path, text(8, one), text(8, other)) == NO
        assert verdict(tmp_path, text(9, one), text(9, other)) == lost(0.4, 20)


def test_texts_of_other_lengths_are_not_compared_further(tmp_path: Path) -> None:
    assert verdict(tmp_path, text(8), text(12)) == lost(4, 20)
    assert verdict(tmp_path, text(8), text(13)) == NO
    assert verdict(tmp_path, text(39), text(60)) == lost(21, 99)
    assert verdict(tmp_path, text(38), text(60)) == NO
    assert verdict(tmp_path, text(33), text(50)) == lost(17, 83)
    assert verdict(tmp_path, text(32), text(50)) == NO
    short = replace(NEAR, min_words=0)
    assert verdict(tmp_path, text(5), text(8), short) == lost(3, 13)
    assert verdict(tmp_path, text(4), text(8), short) == NO


def test_many_misspellings_are_no_copy(tmp_path: Path) -> None:
    words = ["receive", "believe", "garden", "window", "summer"]
    wrong = [word[:-2] + word[-1] + word[-2] for word in words]
    assert verdict(tmp_path, text(20, *words[:4]), text(20, *wrong[:4])) == lost(1.6, 48)
    assert verdict(tmp_path, text(20, *words), text(20, *wrong)) == NO
    assert verdict(tmp_path, text(29, *words), text(29, *wrong)) == lost(2, 68)


def test_marks_weigh_nothing_and_may_be_missing_where_there_are_twelve_words(tmp_path: Path) -> None:
    for words, expected in ((4, NO), (11, NO), (12, 1_000_000)):
        assert verdict(tmp_path, text(words), text(words, "😀 + $")) == expected
        assert verdict(tmp_path, text(words), text(words, "-")) == 1_000_000  # a hyphen is punctuation


def test_marks_stand_in_the_same_order_below_twenty_words(tmp_path: Path) -> None:
    for words, expected in ((4, NO), (19, NO), (20, 1_000_000)):
        assert verdict(tmp_path, text(words, "+ $"), text(words, "$ +")) == expected


@cache
def known_words(one: str) -> tuple[list[str], list[str], int]:
    """A text's words, its marks, and how many words count."""
    found = Words(pl.Series([one], dtype=pl.String))
    words = found.words[0].to_list()
    ideographs, unspaced = (sum(is_of(scripts, word) for word in words) for scripts in (IDEOGRAPHIC, UNSPACED))
    counted = len(words) - unspaced + ceil(ideographs / 2) + ceil((unspaced - ideographs) / 3)
    return words, found.all[0].to_list()[len(words) :], counted


@cache
def is_of(scripts: str, word: str) -> bool:
    """Whether a word is one letter of these scripts."""
    return bool(pl.Series([word]).str.contains(f"^[{scripts}]$")[0])


def out_of_order(one: Sequence[str], other: Sequence[str]) -> int:
    """How many of the items that both have are not in their longest common subsequence."""
    longest = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for (at, item), (there, its) in product(enumerate(one), enumerate(other)):
        further = longest[at][there] + 1 if item == its else 0
        longest[at + 1][there + 1] = max(longest[at][there + 1], longest[at + 1][there], further)
    return (Counter(one) & Counter(other)).total() - longest[-1][-1]


def is_in_order(one: str, other: str, near: NearParams) -> bool:
    (words, marks, counted), (others, their_marks, their_counted) = known_words(one), known_words(other)
    counted = min(counted, their_counted)
    marks, their_marks = ([mark for mark in some if mark != "-"] for some in (marks, their_marks))
    if counted >= max(20, near.min_words):
        numbers, their_numbers = ([word for word in some if is_number(word)] for some in (words, others))
        rest, their_rest = ([word for word in some if not is_number(word)] for some in (words, others))
        return out_of_order(numbers, their_numbers) == 0 or out_of_order(rest, their_rest) > 0
    if counted < 12 and len(marks) != len(their_marks):
        return False
    may_move = 1 if counted >= 12 and counted >= near.min_words else 0
    return out_of_order(words, others) <= may_move and out_of_order(marks, their_marks) == 0


def plain_verdict(one: str, other: str, near: NearParams) -> int:
    """The rules as they are told, word by word."""
    (words, marks, counted), (others, their_marks, their_counted) = known_words(one), known_words(other)
    counted = min(counted, their_counted)
    bag, their_bag = Counter(words), Counter(others)
    own, their = list((bag - their_bag).elements()), list((their_bag - bag).elements())
    if is_too_far_by_length(len(words), len(others)):
        return NO
    marks_replaced = Counter(marks) - Counter(their_marks) and Counter(their_marks) - Counter(marks)
    if near.changed_words == "protect" and (marks_replaced or min(len(own), len(their)) > most_of_both(counted)):
        return NO
    difference = find_difference(own, their, counted)
    often = {word: bag[word] for word in own if not their_bag[word]}
    often |= {word: their_bag[word] for word in their if not bag[word]}
    topics = {word: times for word, times in often.items() if times > 1 and not is_of(UNSPACED, word)}
    if not allows(difference, topics, counted, near) or not is_in_order(one, other, near):
        return NO
    return int(similarity(difference.missing, len(difference.misspelt), len(words) + len(others)))


@pytest.mark.parametrize(
    ("near", "count", "seed"),
    [
        (NEAR, 220, 0),
        (replace(NEAR, min_words=0), 200, 1),
        (replace(NEAR, min_words=30, protect_numbers=True), 200, 2),
        (COUNT, 100, 3),
        (replace(COUNT, min_words=3, protect_numbers=True), 80, 4),
    ],
)
def test_every_pair_of_many_texts_is_judged_as_by_a_plain_reading_of_the_rules(
    tmp_path: Path, near: NearParams, count: int, seed: int
) -> None:
    texts = made_texts(count, seed)
    found = judged(tmp_path, texts, near)
    wrong = [
        (texts[one], texts[other], by_judge, by_rules)
        for (one, other), by_judge in found.items()
        if by_judge != (by_rules := plain_verdict(texts[one], texts[other], near))
    ]
    assert wrong == []
    kinds = Counter("no" if verdict == NO else "same" if verdict == 1_000_000 else "near" for verdict in found.values())
    assert min(kinds["no"], kinds["same"], kinds["near"]) > 5, kinds


def test_pairs_are_judged_alike_alone_and_among_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = made_texts(60, seed=5)
    together = judged(tmp_path, texts)
    monkeypatch.setattr("entropyguard.core.near.word_bags._WORDS_TOGETHER", 500)
    assert judged(tmp_path, texts) == together


def test_from_twenty_words_on_the_order_of_words_says_nothing(tmp_path: Path) -> None:
    chance = random.Random(0)
    texts = [" ".join(known_words(one)[0]) for one in made_texts(150, seed=6)]
    texts = [one for one in texts if known_words(one)[2] >= 20]
    mixed = [" ".join(chance.sample(one.split(), len(one.split()))) for one in texts]
    found = judged(tmp_path, texts)
    assert judged(tmp_path, mixed) == found
    assert sum(verdict != NO for verdict in found.values()) > 20
