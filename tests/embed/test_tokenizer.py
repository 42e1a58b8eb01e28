"""Token ids of many texts at once: the same windows as text by text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from entropyguard.core.embed.tokenizer import OVER_LONG, UNREADABLE, TextTokenizer

WORDS = ["[UNK]", "[CLS]", "[SEP]", "a", "cat", "sat", "query", ":", "mat"]
UNKNOWN, BEGIN, END = 0, 1, 2


def word_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token=WORDS[UNKNOWN]))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", BEGIN), ("[SEP]", END)]
    )
    return tokenizer


def expected(text: str, window: int | None, most: int, *, special: bool, prompt: str) -> tuple[str | None, list[Any]]:
    """Why a text is skipped, or its windows: word by word."""
    words = [WORDS.index(word) if word in WORDS else UNKNOWN for word in text.split()]
    if 2 * words.count(UNKNOWN) > len(words) or not words:
        return UNREADABLE, []
    before, after = ([BEGIN], [END]) if special else ([], [])
    head = before + [WORDS.index(word) for word in prompt.split()]
    room = max(1, len(words) if window is None else window - len(head) - len(after))
    cut = [words[start : start + room] for start in range(0, len(words), room)]
    return (OVER_LONG, []) if len(cut) > most else (None, [head + part + after for part in cut])


short_texts = st.lists(st.sampled_from(["a", "cat", "sat", "query", "dog"]), max_size=9).map(" ".join)


@given(
    texts=st.lists(short_texts, max_size=8),
    window=st.sampled_from([None, 1, 3, 4, 7]),
    most=st.integers(1, 4),
    special=st.booleans(),
    prompt=st.sampled_from(["", "query : "]),
)
def test_windows_are_those_of_each_text_alone(
    texts: list[str], window: int | None, most: int, special: bool, prompt: str
) -> None:
    tokens = TextTokenizer(word_tokenizer(), window, special=special, prompt=prompt)(texts, most)
    each = [expected(text, window, most, special=special, prompt=prompt) for text in texts]
    windows = [own for _, all_own in each for own in all_own]
    assert tokens.skipped == [why for why, _ in each]
    assert tokens.counts.tolist() == [len(own) for _, own in each]
    assert [tokens.of(at).tolist() for at in range(len(tokens.ends))] == windows
    assert tokens.ids.dtype == np.int32


def test_a_prompt_that_runs_into_the_text_is_a_part_of_it() -> None:
    tokens = TextTokenizer(word_tokenizer(), 3, special=False, prompt="query :")(["cat sat a", " cat sat a"], 9)
    glued = [[WORDS.index("query"), UNKNOWN, WORDS.index("sat")], [WORDS.index("a")]]
    apart = [[WORDS.index(word) for word in ("query", ":", last)] for last in ("cat", "sat", "a")]
    assert [tokens.of(at).tolist() for at in range(len(tokens.ends))] == glued + apart


@pytest.mark.parametrize("count", [0, 1, 1_024, 2_500])
def test_any_number_of_texts_is_taken(count: int) -> None:
    tokens = TextTokenizer(word_tokenizer(), 4, special=True)(["a cat sat"] * count, 2)
    assert tokens.counts.tolist() == [2] * count
    assert len(tokens.ids) == 7 * count
