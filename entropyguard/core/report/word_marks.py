"""The words that two near-duplicates do not share: named, and marked where they stand in the texts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby, islice
from unicodedata import category

import polars as pl

from entropyguard.core.words.split import Words
from entropyguard.core.words.word_diff import WordDiff

_UNSPACED = "\u0e00-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff"
_PIECE = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+|\s+")
_PARTS = re.compile(r"(\W+)")
_BETWEEN = re.compile(r"[^\S\n]*")
_NAMED_WORDS = 12

Piece = tuple[str, bool]
"""A part of a text, and whether it is to be marked."""

_Words = list[tuple[str, int]]
_Cut = tuple[list[str], _Words]


def marked_texts(pairs: Sequence[tuple[str, str, WordDiff]]) -> list[tuple[list[Piece], list[Piece]]]:
    """Pairs of texts cut into pieces, of which those are marked whose words the other has not, or spells differently.

    Of a word that a text has more often than the other, the marked one is one that stands where the texts differ.
    Punctuation around a word is not marked.
    """
    cuts = iter(_cut([text for *both, _ in pairs for text in both]))
    return [_marked_pair(next(cuts), next(cuts), difference) for _, _, difference in pairs]


def _marked_pair(text: _Cut, other: _Cut, difference: WordDiff) -> tuple[list[Piece], list[Piece]]:
    (pieces, words), (others, other_words) = text, other
    mine = Counter([*difference.extra, *_spelled(one for one, _ in difference.misspelt)])
    theirs = Counter([*difference.missing, *_spelled(one for _, one in difference.misspelt)])
    chosen, others_chosen = _standing_apart(words, other_words, mine, theirs)
    return _marked(pieces, chosen), _marked(others, others_chosen)


def spelled_out(difference: WordDiff) -> str:
    """What differs, for people, as `missing: the, old; misspelt: teh (the)`."""
    groups = {
        "missing": difference.missing,
        "extra": difference.extra,
        "misspelt": [f"{mine} ({theirs})" for mine, theirs in difference.misspelt],
    }
    told = [f"{name}: {_listed(words)}" for name, words in groups.items() if words]
    if difference.reordered:
        told.append("the words stand in another order")
    return "; ".join(told) or "the words are the same"


def as_columns(difference: WordDiff) -> tuple[str, str, str]:
    """For an audit: the words that are missing, those that are extra, and `teh -> the; caseutils -> case utils`."""
    misspelt = "; ".join(f"{mine} -> {theirs}" for mine, theirs in difference.misspelt)
    return " ".join(difference.missing), " ".join(difference.extra), misspelt


def _cut(texts: Sequence[str]) -> Iterator[_Cut]:
    """Each text in pieces, and its words, each with the piece it stands in. The words of all are found in one go."""
    rough = [_PIECE.findall(text) for text in texts]
    parts = [[[part for part in _PARTS.split(piece) if part] for piece in some] for some in rough]
    flat = [*chain(*rough), *chain(*chain(*parts))]
    words: list[list[str]] = Words(pl.Series(flat, dtype=pl.String)).words.to_list()
    inside, within = iter(words), islice(words, sum(map(len, rough)), None)
    for some, cut in zip(rough, parts, strict=True):
        divided = [(next(inside), [(part, next(within)) for part in those]) for those in cut]
        yield _pieces_of((piece, *words_of) for piece, words_of in zip(some, divided, strict=True))


def _pieces_of(rough: Iterable[tuple[str, list[str], list[tuple[str, list[str]]]]]) -> _Cut:
    """A text's pieces from rough ones, of each the words inside, and the parts of it with theirs."""
    pieces: list[str] = []
    words: _Words = []
    for piece, inside, parts in rough:
        # Where signs stand inside a word, as in 1.32, it is one piece.
        taken = parts if [word for _, some in parts for word in some] == inside else [(piece, inside)]
        for part, some in taken:
            words += [(word, len(pieces)) for word in some]
            pieces.append(part)
    return pieces, words


def _standing_apart(
    words: _Words, others: _Words, mine: Counter[str], theirs: Counter[str]
) -> tuple[set[int], set[int]]:
    """The pieces that hold the words of `mine` and `theirs`, found by going through both texts side by side.

    Where the texts go on in another order, the rest are the first of these words from there on, or else before.
    """
    chosen: tuple[set[int], set[int]] = (set(), set())
    at = other = 0
    while at < len(words) and other < len(others):
        (word, piece), (other_word, other_piece) = words[at], others[other]
        if word == other_word:
            at, other = at + 1, other + 1
        elif mine[word] > 0:
            chosen[0].add(piece)
            mine[word] -= 1
            at += 1
        elif theirs[other_word] > 0:
            chosen[1].add(other_piece)
            theirs[other_word] -= 1
            other += 1
        else:
            break
    for side, own, left, start in ((0, words, mine, at), (1, others, theirs, other)):
        for word, piece in [*own[start:], *own[:start]]:
            if left[word] > 0 and piece not in chosen[side]:
                chosen[side].add(piece)
                left[word] -= 1
    return chosen


def _marked(pieces: list[str], chosen: set[int]) -> list[Piece]:
    """The pieces with the chosen ones marked, but for the punctuation around them."""
    found: list[Piece] = []
    for at, piece in enumerate(pieces):
        start, end = _core(piece) if at in chosen else (len(piece), len(piece))
        found += [(piece[:start], False), (piece[start:end], True), (piece[end:], False)]
    return list(_joined(found))


def _core(piece: str) -> tuple[int, int]:
    """Where the first letter, mark or digit of a piece stands, and where the last one ends."""
    places = [at for at, char in enumerate(piece) if category(char)[0] in "LMN"]
    return (places[0], places[-1] + 1) if places else (0, len(piece))


def _joined(pieces: list[Piece]) -> Iterator[Piece]:
    """Neighbours of a kind in one; marked words with nothing but a space between them as well."""
    kept = [piece for piece in pieces if piece[0]]
    kinds = [marked or _is_between(kept, at) for at, (_, marked) in enumerate(kept)]
    for marked, some in groupby(zip(kept, kinds, strict=True), key=lambda pair: pair[1]):
        yield "".join(text for (text, _), _ in some), marked


def _is_between(pieces: list[Piece], at: int) -> bool:
    """Whether a piece is a space between two marked words."""
    inside = 0 < at < len(pieces) - 1 and pieces[at - 1][1] and pieces[at + 1][1]
    return inside and _BETWEEN.fullmatch(pieces[at][0]) is not None


def _spelled(spellings: Iterable[str]) -> Iterator[str]:
    """The words in spellings, of which one may be two words."""
    for spelling in spellings:
        yield from spelling.split()


def _listed(words: Iterable[str]) -> str:
    named = list(words)
    more = len(named) - _NAMED_WORDS
    return ", ".join(named[:_NAMED_WORDS]) + (f" and {more:,} more" if more > 0 else "")
