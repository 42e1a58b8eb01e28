"""Which words and marks a text has, and what MinHash is taken of."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entropyguard.core.words.split import Words


def words_and_marks(text: str) -> tuple[list[str], list[str]]:
    found = Words(pl.Series([text], dtype=pl.String))
    words, both = found.words[0].to_list(), found.all[0].to_list()
    assert both[: len(words)] == words
    return words, both[len(words) :]


@pytest.mark.parametrize(
    ("text", "words", "marks"),
    [
        ("", "", ""),
        (" \n\t", "", ""),
        ("!... (;)", "", ""),
        ("What?? \u061f", "what", "? ?"),
        ("The CAT, the cat!", "the cat the cat", ""),
        ("École e\u0301cole", "école école", ""),
        ("ﬁne １２ Ⅷ", "fine 12 viii", ""),
        ("snake_case «quoted»", "snake case quoted", ""),
        # apostrophes
        ("It's John's; DON’T", "its johns dont", ""),
        ("'quoted' dogs' bones", "quoted dogs bones", ""),
        ("Rock'n'roll", "rocknroll", ""),
        # numbers
        ("1,200.50 at 10:30, 2024-05-01 or 1/2.", "1,200.50 at 10:30 2024-05-01 or 1/2", "- - /"),
        ("v1.2.3 and 3d", "v1.2.3 and 3d", ""),
        ("-5 (-5) \u22125 minus", "\u22125 \u22125 \u22125 minus", ""),
        ("x-5 and 7-5, covid-19", "x 5 and 7-5 covid 19", "- - -"),
        ("10² x³ ½ 3½", "10 2 x 3 1/2 3 1/2", "/ /"),
        ("٣ ३", "٣ ३", ""),
        # what is left out
        ("Acme™ Acme® ©Acme", "acme acme acme", ""),
        ("zero\u200bwidth soft\u00adhyphen \ufeffbom", "zerowidth softhyphen bom", ""),
        # marks
        ("C++ and C# and C", "c++ and c# and c", "++"),
        ("a == b && c != d", "a b c d", "== && !="),
        ("a + b * c / d - e", "a b c d e", "+ * / -"),
        ("$5 €6 5% £", "5 6 5", "$ € % £"),
        ("≤ 5 ± 3", "5 3", "≤ ±"),
        ("good 😀 job 👍", "good job", "😀 👍"),
        ("nice ❤️ day ❤", "nice day", "❤ ❤"),
        ("from 🇵🇱 to 🇩🇪", "from to", "🇵🇱 🇩🇪"),
        ("1️⃣ first", "1 first", ""),
        ("Really?? Yes! هل؟ 何？", "really yes هل 何", "? ? ?"),
        ("me@home", "me home", "@"),
        # a bullet is no minus and no star
        ("- one\n* two\n  + three", "one two three", ""),
        ("one - two", "one two", "-"),
        # scripts
        ("東京 tokyo", "東 京 tokyo", ""),
        ("カタかな", "カ タ か な", ""),
        ("แมว", "แ ม ว", ""),
        ("ខ្ញុំ។ ၊က", "ខ ្ ញ ុ ំ က", ""),  # a full stop of a script is no letter of it
        ("क्षत्रिय हिन्दी", "क्षत्रिय हिन्दी", ""),
        ("żółć ЁЖ", "żółć ёж", ""),
    ],
)
def test_words_and_marks(text: str, words: str, marks: str) -> None:
    found, signs = words_and_marks(text)
    assert (found, sorted(signs)) == (words.split(), sorted(marks.split()))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("5", "-5"),
        ("1.32", "132"),
        ("10²", "102"),
        ("½", "12"),
        ("C++", "C"),
        ("C#", "C"),
        ("हिन्दी", "हन्द"),
        ("2024-05-01", "2024 05 01"),
    ],
)
def test_what_means_something_else_has_other_words(one: str, other: str) -> None:
    assert words_and_marks(one)[0] != words_and_marks(other)[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The cat,\n sat - 3 times.", "the cat sat 3 times"),
        ("東京 の tokyo タワー", "東京のtokyo タワー"),
        ("แมว cat", "แมวcat"),
        ("", ""),
        ("$ +", ""),
    ],
)
def test_what_minhash_is_taken_of(text: str, expected: str) -> None:
    assert Words(pl.Series([text], dtype=pl.String)).run_together().to_list() == [expected]


texts = st.text(st.sampled_from("aZéĽ5²½,.-'’ \n+$😀京แ्क\u200b™"), max_size=12)


@given(st.lists(texts, max_size=5))
def test_a_text_has_the_same_words_alone_and_among_others(many: list[str]) -> None:
    found = Words(pl.Series(many, dtype=pl.String))
    together = found.run_together().to_list()
    for at, text in enumerate(many):
        alone = Words(pl.Series([text], dtype=pl.String))
        assert found.words[at].to_list() == alone.words[0].to_list()
        assert found.all[at].to_list() == alone.all[0].to_list()
        assert together[at] == alone.run_together()[0]


@given(texts)
def test_case_and_white_space_around_change_nothing(text: str) -> None:
    assert words_and_marks(f"\n{text.upper()}.") == words_and_marks(text)
