"""The words in which near-duplicates differ: which are marked, and how they are told."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entropyguard.core.report.text_diff import shown_marked
from entropyguard.core.report.word_marks import Piece, as_columns, marked_texts, spelled_out
from entropyguard.core.words.word_diff import WordDiff, word_diff, word_diffs

TEXTS = st.text(alphabet="ab c.-1,'我ह\n", max_size=40)


def told(pieces: list[Piece]) -> str:
    return "".join(f"[-{text}-]" if marked else text for text, marked in pieces)


def both(text: str, other: str) -> tuple[str, str]:
    [(first, second)] = marked_texts([(text, other, word_diff(text, other))])
    return told(first), told(second)


@pytest.mark.parametrize(
    ("text", "other", "marked", "other_marked"),
    [
        ("A cat sat.", "a cat, SAT", "A cat sat.", "a cat, SAT"),  # case and punctuation are no words
        ("Read the manual", "Read the old manual!", "Read the manual", "Read the [-old-] manual!"),
        ("the the end", "the end", "the [-the-] end", "the end"),
        (
            "over teh hill, the end",
            "over the hill, the end",
            "over [-teh-] hill, the end",
            "over [-the-] hill, the end",
        ),
        ("run caseutils now", "run case utils now", "run [-caseutils-] now", "run [-case utils-] now"),
        ("see v1.32-rc1, (don't) stop", "see it", "see [-v1.32-rc1-], ([-don't-]) [-stop-]", "see [-it-]"),
        ("我爱北京 天安门!", "我爱北京", "我爱北京 [-天安门-]!", "我爱北京"),
        ("मैं हूँ और", "मैं हूँ।", "मैं हूँ [-और-]", "मैं हूँ।"),
        ("one two three four", "three four one two five", "one two three four", "three four one two [-five-]"),
        ("", "new\nline", "", "[-new-]\n[-line-]"),
    ],
)
def test_words_that_only_one_text_has_are_marked_where_they_stand(
    text: str, other: str, marked: str, other_marked: str
) -> None:
    assert both(text, other) == (marked, other_marked)
    assert both(other, text) == (other_marked, marked)


def test_each_pair_of_several_is_marked_as_if_alone() -> None:
    texts = ["a b", "", "a, c d", "我爱 b", "b a"]
    pairs = [(text, other, word_diff(text, other)) for text in texts for other in texts]
    assert marked_texts(pairs) == [one for pair in pairs for one in marked_texts([pair])]


@given(TEXTS, TEXTS)
def test_marks_cut_no_text_and_stand_on_as_many_words_as_differ(text: str, other: str) -> None:
    difference = word_diff(text, other)
    [marked] = marked_texts([(text, other, difference)])
    for whole, pieces, words in zip((text, other), marked, (difference.extra, difference.missing), strict=True):
        assert "".join(piece for piece, _ in pieces) == whole
        assert any(marked for _, marked in pieces) == bool(words or difference.misspelt)


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=4))
def test_many_texts_are_compared_as_each_alone(pairs: list[tuple[str, str]]) -> None:
    alone = [word_diff(text, other) for text, other in pairs]
    assert list(word_diffs([text for text, _ in pairs], [other for _, other in pairs])) == alone


@given(TEXTS, TEXTS)
def test_what_is_extra_on_one_side_is_missing_on_the_other(text: str, other: str) -> None:
    one, back = word_diff(text, other), word_diff(other, text)
    assert (Counter(one.extra), Counter(one.missing)) == (Counter(back.missing), Counter(back.extra))
    assert one.similarity == back.similarity


@pytest.mark.parametrize(
    ("text", "other", "reordered"),
    [
        ("the fox sees teh dog", "the fox sees the dog", False),
        ("the the cat", "the cat", False),
        ("then run it", "run then it", True),
        ("one two three", "three one two four", True),
        ("one two", "one two", False),
    ],
)
def test_an_order_is_another_one_only_where_the_shared_words_are_moved(text: str, other: str, reordered: bool) -> None:
    assert word_diff(text, other).reordered is reordered
    assert word_diff(other, text).reordered is reordered


def test_the_difference_is_spelled_out_and_given_as_columns() -> None:
    many = tuple(f"w{at}" for at in range(14))
    difference = WordDiff(0.9, ("old", "new"), many, (("teh", "the"), ("caseutils", "case utils")), reordered=True)
    assert spelled_out(difference) == (
        f"missing: old, new; extra: {', '.join(many[:12])} and 2 more; misspelt: teh (the), caseutils (case utils); "
        "the words stand in another order"
    )
    assert as_columns(difference) == ("old new", " ".join(many), "teh -> the; caseutils -> case utils")
    assert spelled_out(WordDiff(1.0, (), (), (), reordered=False)) == "the words are the same"


def test_a_page_shows_a_long_text_where_its_first_mark_stands() -> None:
    shown = shown_marked([("word " * 300, False), ("<end>", True), (" of it" * 300, False)])
    assert shown.startswith("…word")
    assert "<mark>&lt;end&gt;</mark> of it" in shown
    assert shown.endswith("…")
    assert len(shown) < 500
    assert shown_marked([("a\n" * 50, False)]).count("\n") == 11
    assert shown_marked([]) == ""
