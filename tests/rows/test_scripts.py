"""Which script a text is written in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import polars as pl
from fontTools.unicodedata import script, script_name
from hypothesis import given
from hypothesis import strategies as st

from entropyguard.core.rows.scripts import main_scripts, script_names


def names(texts: Sequence[str]) -> list[str]:
    return [[*script_names(), "none"][at] for at in main_scripts(pl.Series(texts, dtype=pl.String))]


def test_a_text_is_in_the_script_of_most_of_its_letters() -> None:
    latin, none = ["hello", "дом house", "ảnh đẹp", "x🎉", "caffè №5"], ["42 !", "", "🎉", "½ ♥ ±"]
    assert names(latin) == ["Latin"] * len(latin)
    assert names(none) == ["none"] * len(none)
    assert names(["Эта кошка cat", "東京へ行きました", "नमस्ते"]) == ["Cyrillic", "Hiragana", "Devanagari"]


def test_of_scripts_with_equally_many_letters_the_first_by_name_is_told() -> None:
    assert names(["cat дом", "дом cat"]) == ["Cyrillic", "Cyrillic"]


def slow_script(text: str) -> str:
    counts = Counter(script_name(script(character)) for character in text)
    told = [(-count, name) for name, count in counts.items() if name not in ("Common", "Inherited", "Unknown")]
    return str(min(told)[1]) if told else "none"


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=8))
def test_scripts_are_those_of_unicode(texts: list[str]) -> None:
    assert names(texts) == [slow_script(text) for text in texts]


@given(st.lists(st.text("aZ [{@`å·яж世𐐷\u0301", max_size=12), max_size=8))
def test_ascii_letters_tell_as_far_as_they_can(texts: list[str]) -> None:
    """Some texts are told by a count of their bytes, others letter by letter; which does not show."""
    assert names(texts) == [slow_script(text) for text in texts]
