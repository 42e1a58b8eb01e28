"""What of a text is compared word by word: its words, and the marks that a word's meaning can depend on.

Case, white space and punctuation say nothing here. A number keeps its sign and its inner signs; operators, currency
signs and emoji are marks: a text may lack them, but not have others.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from entropyguard.core.arrays import Ints

WORDS_VERSION = 1
"""Raised when a text gets other words or marks: what was stored of it must not be found again."""

IDEOGRAPHIC = r"\p{Han}\p{Hiragana}\p{Katakana}"
UNSPACED = rf"{IDEOGRAPHIC}\p{{Thai}}\p{{Lao}}\p{{Khmer}}\p{{Myanmar}}\p{{Tibetan}}"
"""Scripts that write no spaces between words: each of their characters is one here."""

_MINUS = "\u2212"  # of a number below zero, to tell it from a hyphen
NUMBER = rf"{_MINUS}?\p{{N}}+(?:[.,:/-]\p{{N}}+)*"
_LETTER, _FURTHER = rf"[\p{{L}}--[{UNSPACED}]]", rf"[\p{{L}}\p{{M}}--[{UNSPACED}]]"
_CHARACTER = rf"[{UNSPACED}&&[\p{{L}}\p{{M}}\p{{N}}]]"
_WORD = rf"{_CHARACTER}|[a-zA-Z](?:\+\+|#)|(?:{NUMBER}|{_LETTER})(?:{NUMBER}|{_FURTHER})*"  # c++ and c# are no c
_PICTURE = r"\p{Regional_Indicator}{2}|[\p{Extended_Pictographic}--[\p{N}]]"
_MARK = rf"[-+*/=<>&|^~]+|!=|[@%?]|\p{{Sc}}|[\p{{Sm}}--[+<=>|~^−]]|{_PICTURE}"
SENTENCE = "\x01"
_SENTENCE_START = r"""(?:^|[.!?:;]["'\x{201D}\x{2019})\]]*\s|\n)\s*["'\x{201C}\x{201E}(\[*#>-]*\s*"""
HYPHEN = "-"
"""The one mark that is punctuation as often as not."""

_UNSEEN = r"[\p{Cf}\x{FE0E}\x{FE0F}\x{20E3}]"  # joiners, directions, which of two pictures, the frame of a key
_BULLET = r"(?m)^[ \t]*[-*+][ \t]"


class Words:
    """The words of some texts: a list of strings for each text, in its order; `all`: and after them its marks."""

    def __init__(self, texts: pl.Series) -> None:
        plain = _plain(texts)
        self.words = plain.str.extract_all(_WORD)
        marks = plain.str.replace_all(_BULLET, "").str.replace_all(r"\?+", "?").str.extract_all(_MARK)
        self.all = self.words.list.concat(marks)

    def run_together(self) -> pl.Series:
        """The words joined by spaces, but for scripts that have none: what MinHash is taken of."""
        joined = self.words.list.join(" ")
        unspaced = joined.str.contains(f"[{UNSPACED}]")
        if not unspaced.any():
            return joined
        closed = joined.filter(unspaced).str.replace_all(f"([{UNSPACED}]) ", "$1")
        return joined.scatter(unspaced.arg_true(), closed)


def counted_words(words: Any, unspaced: Any, ideographs: Any) -> Any:
    """How many words there are where `unspaced` of them are letters of scripts without spaces.

    Two ideographs (they are among the unspaced) count as one word, as do three letters of the other scripts.
    """
    return words - unspaced + (ideographs + 1) // 2 + (unspaced - ideographs + 2) // 3


def cased_words(texts: pl.Series) -> pl.Series:
    """The words of each text as they are written, lists of strings, with SENTENCE before the first of each sentence."""
    marked = _plain(texts, lower=False).str.replace_all(_SENTENCE_START, f"${{0}}{SENTENCE}")
    return marked.str.extract_all(f"{SENTENCE}|{_WORD}")


def _plain(texts: pl.Series, *, lower: bool = True) -> pl.Series:
    """The texts in NFKC and lower case, apostrophes within words gone, the minus before a number told from a hyphen."""
    foreign: Ints = (texts.str.len_bytes() != texts.str.len_chars()).arg_true().to_numpy()
    if len(foreign):
        texts = texts.clone().scatter(foreign, _compatible(texts.gather(foreign)))
    texts = texts.str.to_lowercase() if lower else texts
    for _ in range(2):  # in rock'n'roll the n stands between two
        texts = texts.str.replace_all(r"(\p{L})['\x{2019}\x{02BC}](\p{L})", "${1}${2}")
    return texts.str.replace_all(r"(^|[^\p{L}\p{M}\p{N})\]-])-(\p{N})", f"${{1}}{_MINUS}${{2}}")


def _compatible(texts: pl.Series) -> pl.Series:
    """NFKC, without what it would run together: 10² is not 102, and a word is the same with ™."""
    texts = texts.str.replace_all(r"[™℠©®]", " ").str.replace_all(_MINUS, "-", literal=True)
    texts = texts.str.replace_all(r"(\p{No})", " $1 ").str.normalize("NFKC")
    return texts.str.replace_all(_UNSEEN, "").str.replace_all("[؟՞፧]", "?").str.replace_all("\u2044", "/", literal=True)
