"""When a word is another one misspelt, or two written together."""

from __future__ import annotations

import random

import pytest

from entropyguard.core.words.difference import find_difference
from entropyguard.core.words.misspelling import is_same_word
from entropyguard.core.words.numbers import is_number

ALWAYS, IN_CONTEXT, NEVER = (True, True), (False, True), (False, False)
"""Whether two words are one: in a short text, in a long one."""


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("receive", "recieve", ALWAYS),  # two neighbours swapped
        ("receive", "receve", ALWAYS),  # a letter missing
        ("receive", "receives", ALWAYS),
        ("zażółć", "zażółcć", ALWAYS),
        ("receive", "eceive", IN_CONTEXT),  # the first letter
        ("receive", "erceive", IN_CONTEXT),
        ("cat", "cats", ALWAYS),  # short: its last letter alone
        ("i", "if", NEVER),  # of one letter
        ("g", "kg", NEVER),  # units
        ("m", "mm", NEVER),
        ("mb", "mbit", NEVER),
        ("kg", "kgs", NEVER),
        ("ba", "bar", NEVER),
        ("he", "she", NEVER),  # words that look alike
        ("three", "there", NEVER),
        ("pan", "pani", NEVER),
        ("cat", "cart", IN_CONTEXT),
        ("cat", "act", IN_CONTEXT),
        ("thier", "their", ALWAYS),
        ("the", "teh", IN_CONTEXT),
        ("west", "east", NEVER),  # a letter replaced
        ("receive", "receize", NEVER),
        ("receive", "recve", NEVER),  # two letters missing
        ("abcd", "badc", NEVER),  # two swaps
        ("receive", "reecive", ALWAYS),
        ("receive", "revecie", NEVER),  # swapped, but no neighbours
        ("receive", "different", NEVER),
        # numbers
        ("5", "55", NEVER),
        ("12", "21", NEVER),
        ("v1", "v12", NEVER),
        ("model", "model3", NEVER),
        ("r2d2", "rd2", NEVER),
        ("model3", "modle3", NEVER),
        ("2024-05-01", "2024-05-011", NEVER),
        ("\u22125", "5", NEVER),
        ("१२", "१२३", NEVER),
        ("三", "二三", NEVER),
        ("1,200", "1200", IN_CONTEXT),
        ("1,200", "1,2000", NEVER),
        ("1,20", "120", NEVER),
        ("12,00", "1200", NEVER),
        ("1.200", "1200", NEVER),
        ("1,200", "1,020", NEVER),
        # negations
        ("not", "note", NEVER),
        ("no", "non", NEVER),
        ("none", "nonce", NEVER),
        ("cannot", "canot", NEVER),
        ("dont", "dot", NEVER),
        ("isnt", "isn", NEVER),
        ("nie", "niea", NEVER),
        ("kein", "keine", NEVER),
        ("without", "wihtout", NEVER),
    ],
)
def test_when_two_words_are_one(one: str, other: str, expected: tuple[bool, bool]) -> None:
    for first, second in ((one, other), (other, one)):
        assert tuple(is_same_word(first, second, in_context=bold) for bold in (False, True)) == expected


@pytest.mark.parametrize(
    ("whole", "parts", "expected"),
    [
        ("caseutils", "case utils", True),
        ("caseutils", "utils case", True),  # texts are bags of words
        ("caseutil", "case utils", False),
        ("haha", "ha ha", True),
        ("inasmuch", "in as much", True),
        ("hahaha", "ha ha", False),
        ("forasmuchas", "for as much as", False),
        ("haha", "ha hi", False),
        ("v2", "v 2", True),
        ("2nd", "2 nd", True),
        ("12", "1 2", False),
        ("20245", "2024 5", False),
        ("v12", "v1 2", False),
        ("a12b", "a1 2 b", False),
        ("cannot", "can not", True),
        ("notice", "not ice", False),
        ("nobody", "no body", True),
        ("nofun", "no fun", False),
        ("piano", "pia no", False),
    ],
)
def test_when_a_word_is_others_written_together(whole: str, parts: str, expected: bool) -> None:
    for swapped in (False, True):
        sides = [whole], parts.split()
        difference = find_difference(*(sides[::-1] if swapped else sides), counted=20)
        assert (difference.missing == 0) is expected
        assert len(difference.misspelt) == expected


@pytest.mark.parametrize("word", ["5", "1,200", "v2", "2nd", "\u22125", "३", "፩", "三", "万", "〇"])
def test_numbers(word: str) -> None:
    assert is_number(word)


@pytest.mark.parametrize("word", ["five", "viii", "東", "−", "c++"])
def test_no_numbers(word: str) -> None:
    assert not is_number(word)


def one_edit_apart(one: str, other: str) -> bool:
    """By trying every edit."""
    less = {long[:at] + long[at + 1 :] for long in (one, other) for at in range(len(long))}
    swaps = {one[:at] + one[at : at + 2][::-1] + one[at + 2 :] for at in range(len(one) - 1)}
    return other in swaps or (len(one) > len(other) and other in less) or (len(one) < len(other) and one in less)


def test_every_pair_of_words_of_few_letters_is_judged_as_by_trying_every_edit() -> None:
    chance = random.Random(0)
    found = 0
    for _ in range(20_000):
        one = "".join(chance.choices("xy", k=chance.randrange(2, 8)))
        other = "".join(chance.choices("xy", k=chance.randrange(2, 8)))
        if one != other:
            assert is_same_word(one, other, in_context=True) is one_edit_apart(one, other)
            found += is_same_word(one, other, in_context=True)
    assert 1_000 < found < 10_000
