"""Texts as token ids, cut into the windows a model reads, and which texts it cannot read or take whole."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from entropyguard.core.arrays import Bools, Int32s, Ints
from entropyguard.core.embed.scripts import ScriptCoverage
from entropyguard.core.errors import UsageError

UNREADABLE = "unreadable"
OVER_LONG = "over_long"

_GROUP_TEXTS = 1_024
_GROUP_CHARACTERS = 1_000_000
_CHARACTERS_PER_TOKEN = 64
_MOST_CHARACTERS = 16_000_000

_NO_IDS: Int32s = np.empty(0, dtype=np.int32)


@dataclass(frozen=True)
class Tokens:
    """The token ids of some texts, a window after the other; the windows of a text are consecutive.

    `ids` is flat; window i has `ids[ends[i - 1]:ends[i]]`, special tokens included. Text t has `counts[t]` windows:
    none where it cannot be embedded, and `skipped[t]`, else None, says why.
    """

    ids: Int32s
    ends: Ints
    counts: Ints
    skipped: list[str | None]

    def lengths(self) -> Ints:
        """Tokens of each window, special ones counted."""
        return np.diff(self.ends, prepend=0)

    def of(self, window: int) -> Int32s:
        """The ids of one window."""
        return self.ids[self.ends[window - 1] if window else 0 : self.ends[window]]

    def padded(self, windows: Ints, shape: tuple[int, int], pad: int) -> tuple[Ints, Bools]:
        """The windows as the first rows of a matrix of token ids, and which of its cells hold them; `pad` elsewhere.

        A row that is left over holds one token: a model that attends to none gives no number.
        """
        starts, columns = np.where(windows > 0, self.ends[windows - 1], 0), np.arange(shape[1])
        held = np.zeros(shape, dtype=np.bool_)
        held[: len(windows)] = columns < (self.ends[windows] - starts)[:, None]
        ids = np.full(shape, pad, dtype=np.int64)
        ids[held] = self.ids[(starts[:, None] + columns)[held[: len(windows)]]]
        held[len(windows) :, 0] = True
        return ids, held


class TextTokenizer:
    """A `tokenizers.Tokenizer` for a model that reads a limited number of tokens at a time.

    window: the most tokens the model takes, special ones counted; None is no limit of the model's own.
    special: whether the model wants its special tokens around a text.
    unread: token ids that mean nothing to the model, beside the tokenizer's own unknown token.
    prompt: what the model wants in front of every text.
    """

    def __init__(
        self,
        tokenizer: Any,
        window: int | None,
        *,
        special: bool,
        unread: Iterable[int] = (),
        prompt: str = "",
    ) -> None:
        self._tokenizer = tokenizer
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._before, self._after = _special_tokens(tokenizer) if special else (_NO_IDS, _NO_IDS)
        self._prompt = prompt
        self._lead = np.array(tokenizer.encode(prompt.rstrip(), add_special_tokens=False).ids, dtype=np.int32)
        self.window = window
        self.vocabulary = int(self._tokenizer.get_vocab_size(with_added_tokens=True))
        self.unknown = _unknown_token(self._tokenizer)
        unknown = [] if self.unknown is None else [self.unknown]
        pieces = tokenizer.decode_batch([[token] for token in range(self.vocabulary)], skip_special_tokens=True)
        self._coverage = ScriptCoverage(pieces, [*unknown, *unread])

    def __call__(self, texts: Sequence[str], max_windows: int) -> Tokens:
        """Tokenise; each text's ids and marks do not depend on the texts beside it.

        A text of more than `max_windows` windows is skipped.
        """
        limit = self._most_characters(max_windows)
        skipped: list[str | None] = [OVER_LONG if len(text) > limit else None for text in texts]
        counts = np.zeros(len(texts), dtype=np.int64)
        pieces: list[list[Int32s]] = [[]] * len(texts)
        for group in _groups(texts, limit):
            together = [self._prompt + texts[at] for at in group]
            encodings = self._tokenizer.encode_batch_fast(together, add_special_tokens=False)
            parts = [self._split(np.array(encoding.ids, dtype=np.int32)) for encoding in encodings]
            unreadable = self._coverage.unreadable([body for _, body in parts], [texts[at] for at in group])
            for at, (lead, body), blind in zip(group, parts, unreadable.tolist(), strict=True):
                skipped[at], pieces[at] = (UNREADABLE, []) if blind else self._windows(lead, body, max_windows)
                counts[at] = len(pieces[at])
        windows = [window for own in pieces for window in own]
        ids = np.concatenate([_NO_IDS, *windows])
        return Tokens(ids, np.cumsum([len(window) for window in windows], dtype=np.int64), counts, skipped)

    def _split(self, ids: Int32s) -> tuple[Int32s, Int32s]:
        """The prompt's ids, none where they are not told apart from the text's, and the others."""
        lead = self._lead if np.array_equal(ids[: len(self._lead)], self._lead) else self._lead[:0]
        return lead, ids[len(lead) :]

    def _windows(self, lead: Int32s, body: Int32s, max_windows: int) -> tuple[str | None, list[Int32s]]:
        """The windows of a text that can be read, or why there are none."""
        around = len(self._before) + len(lead) + len(self._after)
        room = max(1, len(body) if self.window is None else self.window - around)
        starts = range(0, max(1, len(body)), room)
        if len(starts) > max_windows:
            return OVER_LONG, []
        return None, [np.concatenate([self._before, lead, body[start : start + room], self._after]) for start in starts]

    def _most_characters(self, max_windows: int) -> int:
        """A text this long in so few tokens is blanks or one endless word: not worth the memory to count it."""
        if self.window is None:
            return _MOST_CHARACTERS
        return min(_MOST_CHARACTERS, _CHARACTERS_PER_TOKEN * self.window * max_windows)


def _groups(texts: Sequence[str], limit: int) -> Iterator[list[int]]:
    """Positions of the texts of up to `limit` characters, few enough at a time that their encodings stay small."""
    group: list[int] = []
    characters = 0
    for at, text in enumerate(texts):
        if len(text) > limit:
            continue
        group.append(at)
        characters += len(text)
        if len(group) >= _GROUP_TEXTS or characters >= _GROUP_CHARACTERS:
            yield group
            group, characters = [], 0
    if group:
        yield group


def read_tokenizer(folder: Path) -> Any:
    """The `tokenizers.Tokenizer` of a model folder; a UsageError where its file is missing or damaged."""
    from tokenizers import Tokenizer  # slow to load, and only some runs embed

    file = folder / "tokenizer.json"
    try:
        return Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises plain Exception
        raise UsageError(f"{file} cannot be read as a tokenizer ({error}). Use a model that has one.") from error


def _special_tokens(tokenizer: Any) -> tuple[Int32s, Int32s]:
    """The ids the tokenizer puts before and after a text."""
    encoding = tokenizer.encode("a", add_special_tokens=True)
    ids, own = np.array(encoding.ids, dtype=np.int32), np.flatnonzero(np.array(encoding.special_tokens_mask) == 0)
    return ids[: own[0]], ids[own[-1] + 1 :]


def _unknown_token(tokenizer: Any) -> int | None:
    """The id that stands for what the tokenizer does not know; None where every text has tokens of its own."""
    name = getattr(tokenizer.model, "unk_token", None)
    if name is not None:
        known: int | None = tokenizer.token_to_id(name)
        return known
    unigram: int | None = json.loads(tokenizer.to_str())["model"].get("unk_id")
    return unigram
