"""Which texts hold nothing to compare."""

from __future__ import annotations

import unicodedata

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entropyguard.core.params import ExactParams
from entropyguard.core.rows.content import TELLING, nothing_to_compare
from entropyguard.core.rows.normalise import hashed, normalise

NOTHING = [
    "",
    " ",
    "\t\n\r\x85\u00a0\u2003\u3000",
    "...",
    "\u2026",
    "--- / --- % & * @",
    "\u00ab\u2014\u00bb \u3002\u060c\u0964",  # punctuation of several scripts
    "\u200b",  # zero width space
    "\ufeff\u200d\u200e\u2060\u00ad",  # byte order mark, joiner, direction, word joiner, soft hyphen
    "\0\x1f\x7f",
    "\u0301",  # a combining accent
    "\u0301 . \u0e31 \u20e3 \ufe0f",  # marks and punctuation
    "\u0f0b\u0f0b",  # Tibetan, but no letter
]
SOMETHING = [
    "a",
    "7",
    "... a",
    "(\u00e9)",
    "e\u0301",
    "\u0301a",
    "\u732b",
    "\u0434\u0430",
    "\ud55c",
    "\u0e17\u0e35\u0e48",
    "\u0661\u0662",  # Arabic digits
    "\u00bd",
    "\u2167",
    "\U0001f600",
    "\u2764\ufe0f",
    "\U0001f1f5\U0001f1f1",
    "+",
    "$",
    "\u20ac",
    "^_^",
    "`",
    "\u00b4",  # a symbol, of which NFKC makes a blank and a mark
    "\u2800",  # a blank of braille, a symbol
    "\ufffd",
    "\ue000",  # private use: a font may have a letter there
    "\U0003ffff",  # for a later Unicode to say
    "\u200b7",
]


def lengths_of(texts: list[str], unicode: str, *, whitespace: bool) -> list[int]:
    params = ExactParams(unicode, lowercase=True, whitespace=whitespace, min_length=0)
    lengths: list[int] = hashed(pl.Series(texts, dtype=pl.String), params)[1].tolist()
    return lengths


@pytest.mark.parametrize("unicode", ["NFC", "NFKC", "none"])
@pytest.mark.parametrize("whitespace", [True, False])
def test_a_text_without_letter_digit_or_symbol_has_no_length(unicode: str, whitespace: bool) -> None:
    together = [text for pair in zip(NOTHING, SOMETHING, strict=False) for text in pair]
    for texts in (NOTHING, SOMETHING, together):
        lengths = lengths_of(texts, unicode, whitespace=whitespace)
        assert [text for text, length in zip(texts, lengths, strict=True) if not length] == [
            text for text in texts if text in NOTHING
        ]


def test_the_other_texts_are_as_long_as_they_are_compared() -> None:
    texts = pl.Series([*SOMETHING, "  The  Cat ", "Stra\u00dfe..."])
    params = ExactParams("NFC", lowercase=True, whitespace=True, min_length=0)
    assert hashed(texts, params)[1].tolist() == normalise(texts, params).str.len_chars().to_list()


def test_no_texts() -> None:
    assert nothing_to_compare(pl.Series([], dtype=pl.String)).tolist() == []
    assert lengths_of([], "NFC", whitespace=True) == []


@given(st.lists(st.text(st.characters(max_codepoint=0x2FFF, exclude_categories=["Cs", "Cn"]), max_size=4), max_size=8))
def test_texts_are_told_as_by_their_categories(texts: list[str]) -> None:
    found = nothing_to_compare(pl.Series(texts, dtype=pl.String)).tolist()
    silent = [{unicodedata.category(character)[0] for character in text} & set("LNS") for text in texts]
    unsaid = [any(unicodedata.category(character) == "Co" for character in text) for text in texts]
    assert found == [at for at, some in enumerate(silent) if not some and not unsaid[at]]
    assert np.flatnonzero(np.array(lengths_of(texts, "NFC", whitespace=True)) == 0).tolist() == found


def test_what_a_byte_tells_holds_for_every_character_in_which_it_occurs() -> None:
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    silent = "".join(characters[at] for at in nothing_to_compare(pl.Series(characters)))
    assert not TELLING[np.frombuffer(silent.encode(), dtype=np.uint8)].any()
