"""Texts as token ids, cut into the windows a model reads, and which texts it cannot read or take whole."""

from __future__ import annotations

import itertools
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
        windows, sizes = [_NO_IDS], [np.empty(0, dtype=np.int64)]
        for group in _groups(texts, limit):
            some = [texts[at] for at in group]
            bodies = self._bodies(some)
            needed = self._windows_needed(bodies)
            unreadable, over_long = self._coverage.unreadable(bodies.ids, bodies.sizes, some), needed > max_windows
            for why, which in ((OVER_LONG, over_long), (UNREADABLE, unreadable)):
                for at in np.flatnonzero(which).tolist():
                    skipped[group[at]] = why
            needed[unreadable | over_long] = 0
            counts[group] = needed
            ids, of_each = self._windows(bodies, needed)
            windows.append(ids)
            sizes.append(of_each)
        return Tokens(np.concatenate(windows), np.cumsum(np.concatenate(sizes)), counts, skipped)

    def _bodies(self, texts: Sequence[str]) -> _Bodies:
        """The ids of each text; the prompt's are taken off, where they are told apart from the text's."""
        together = [self._prompt + text for text in texts] if self._prompt else list(texts)
        found = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(together, add_special_tokens=False)]
        leads = np.zeros(len(found), dtype=np.int64)
        if lead := self._lead.tolist():
            leads[[ids[: len(lead)] == lead for ids in found]] = len(lead)
            found = [ids[taken:] for ids, taken in zip(found, leads.tolist(), strict=True)]
        sizes = np.fromiter(map(len, found), dtype=np.int64, count=len(found))
        ids = np.fromiter(itertools.chain.from_iterable(found), dtype=np.int32, count=int(sizes.sum()))
        return _Bodies(ids, sizes, leads)

    def _room(self, bodies: _Bodies) -> Ints:
        """How many of each text's ids fit in a window."""
        if self.window is None:
            return np.maximum(1, bodies.sizes)
        return np.maximum(1, self.window - len(self._before) - len(self._after) - bodies.leads)

    def _windows_needed(self, bodies: _Bodies) -> Ints:
        """How many windows hold each text."""
        needed: Ints = np.maximum(1, -(-bodies.sizes // self._room(bodies)))
        return needed

    def _windows(self, bodies: _Bodies, counts: Ints) -> tuple[Int32s, Ints]:
        """The ids of the windows of all texts, each text cut into so many, and how many each window has."""
        text = np.repeat(np.arange(len(counts)), counts)
        number = np.arange(len(text)) - (np.cumsum(counts) - counts)[text]
        room, leads = self._room(bodies)[text], bodies.leads[text]
        taken = np.minimum(room, bodies.sizes[text] - number * room)
        heads = len(self._before) + leads
        sizes = heads + taken + len(self._after)
        ends = np.cumsum(sizes)
        starts = ends - sizes
        # Each id comes from the text's own, counted from where its first one lies in the window; what is around
        # these takes its place afterwards.
        sources = (np.cumsum(bodies.sizes) - bodies.sizes)[text] + number * room - heads - starts
        places = np.arange(int(sizes.sum()))
        some = np.concatenate([bodies.ids, np.zeros(1, dtype=np.int32)])
        ids: Int32s = some[np.clip(np.repeat(sources, sizes) + places, 0, len(bodies.ids))]
        for at, token in enumerate(self._before.tolist()):
            ids[starts + at] = token
        for at, token in enumerate(self._lead.tolist(), len(self._before)):
            ids[starts[leads > 0] + at] = token
        for at, token in enumerate(self._after.tolist()):
            ids[ends - len(self._after) + at] = token
        return ids, sizes

    def _most_characters(self, max_windows: int) -> int:
        """A text this long in so few tokens is blanks or one endless word: not worth the memory to count it."""
        if self.window is None:
            return _MOST_CHARACTERS
        return min(_MOST_CHARACTERS, _CHARACTERS_PER_TOKEN * self.window * max_windows)


@dataclass(frozen=True)
class _Bodies:
    """The ids of some texts, one text after the other: so many of each (`sizes`), without the first `leads[t]` ids
    that were the prompt's.
    """

    ids: Int32s
    sizes: Ints
    leads: Ints


def _groups(texts: Sequence[str], limit: int) -> Iterator[list[int]]:
    """Positions of the texts of up to `limit` characters, few enough at a time that their encodings stay small."""
    characters = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    taken = np.flatnonzero(characters <= limit)
    ends = np.cumsum(characters[taken])
    start = before = 0
    while start < len(taken):
        full = int(np.searchsorted(ends, before + _GROUP_CHARACTERS)) + 1
        end = min(len(taken), start + _GROUP_TEXTS, full)
        yield taken[start:end].tolist()
        start, before = end, int(ends[end - 1])


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
