"""Texts as token ids, and which of them a model cannot read or cannot take whole."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from entropyguard.core.errors import UsageError

UNREADABLE = "unreadable"
OVER_LONG = "over_long"

_GROUP_TEXTS = 1_024
_GROUP_CHARACTERS = 1_000_000
_CHARACTERS_PER_TOKEN = 64
_MOST_CHARACTERS = 1_000_000


@dataclass(frozen=True)
class Tokens:
    """The token ids of some texts, one text after the other.

    `ids` is flat; text i has `ids[ends[i - 1]:ends[i]]`, special tokens included. `skipped[i]` is None, or why the
    text cannot be embedded (its ids are then left out).
    """

    ids: npt.NDArray[np.int32]
    ends: npt.NDArray[np.int64]
    skipped: list[str | None]

    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each text, special ones counted; 0 where it is skipped."""
        return np.diff(self.ends, prepend=0)

    def of(self, text: int) -> npt.NDArray[np.int32]:
        """The ids of one text."""
        return self.ids[self.ends[text - 1] if text else 0 : self.ends[text]]


class TextTokenizer:
    """A `tokenizers.Tokenizer` with a window.

    window: the most tokens a text may have, special ones counted; None is no limit of the model's own.
    special: whether the model wants its special tokens around a text.
    unread: token ids that mean nothing to the model, beside the tokenizer's own unknown token.
    """

    def __init__(
        self, tokenizer: Any, window: int | None, *, special: bool, unread: npt.NDArray[np.int64] | None = None
    ) -> None:
        self._tokenizer = tokenizer
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._special = special
        self._around = self._tokenizer.num_special_tokens_to_add(is_pair=False) if special else 0
        self.window = window
        self.vocabulary = int(self._tokenizer.get_vocab_size(with_added_tokens=True))
        self.unknown = _unknown_token(self._tokenizer)
        self._unread = np.zeros(self.vocabulary, dtype=np.bool_)
        self._unread[[token for token in [self.unknown] if token is not None]] = True
        if unread is not None:
            self._unread[unread] = True
        # A text this long in so few tokens is blanks or one endless word: not worth the memory to count it.
        self._most_characters = min(_MOST_CHARACTERS, _CHARACTERS_PER_TOKEN * (window or _MOST_CHARACTERS))

    def __call__(self, texts: Sequence[str]) -> Tokens:
        """Tokenise; each text's ids and marks do not depend on the texts beside it."""
        skipped: list[str | None] = [None] * len(texts)
        counts = np.zeros(len(texts), dtype=np.int64)
        pieces: list[npt.NDArray[np.int32]] = []
        for group in self._groups(texts):
            encodings = self._tokenizer.encode_batch_fast([texts[at] for at in group], add_special_tokens=self._special)
            for at, encoding in zip(group, encodings, strict=True):
                own = np.array(encoding.ids, dtype=np.int32)
                skipped[at] = self._why_not(own)
                if skipped[at] is None:
                    pieces.append(own)
                    counts[at] = len(own)
        for at, text in enumerate(texts):
            if len(text) > self._most_characters:
                skipped[at] = OVER_LONG
        ids = np.concatenate(pieces) if pieces else np.empty(0, dtype=np.int32)
        return Tokens(ids, np.cumsum(counts), skipped)

    def _groups(self, texts: Sequence[str]) -> Iterator[list[int]]:
        """Positions of the texts to tokenise, few enough at a time that their encodings stay small."""
        group: list[int] = []
        characters = 0
        for at, text in enumerate(texts):
            if len(text) > self._most_characters:
                continue
            group.append(at)
            characters += len(text)
            if len(group) >= _GROUP_TEXTS or characters >= _GROUP_CHARACTERS:
                yield group
                group, characters = [], 0
        if group:
            yield group

    def _why_not(self, ids: npt.NDArray[np.int32]) -> str | None:
        """Why a text of these tokens cannot be embedded; unreadable comes first, for no window cures it."""
        own = len(ids) - self._around
        if own <= 0 or 2 * int(self._unread[ids].sum()) > own:
            return UNREADABLE
        return OVER_LONG if self.window is not None and len(ids) > self.window else None


def read_tokenizer(folder: Path) -> Any:
    """The `tokenizers.Tokenizer` of a model folder; a UsageError where its file is missing or damaged."""
    from tokenizers import Tokenizer  # slow to load, and only some runs embed

    file = folder / "tokenizer.json"
    try:
        return Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises plain Exception
        raise UsageError(f"{file} cannot be read as a tokenizer ({error}). Use a model that has one.") from error


def _unknown_token(tokenizer: Any) -> int | None:
    """The id that stands for what the tokenizer does not know; None where every text has tokens of its own."""
    name = getattr(tokenizer.model, "unk_token", None)
    if name is not None:
        known: int | None = tokenizer.token_to_id(name)
        return known
    unigram: int | None = json.loads(tokenizer.to_str())["model"].get("unk_id")
    return unigram
