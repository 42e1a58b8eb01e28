"""What keeps two texts of like meaning apart: one template, other facts.

A model of sentences sees that two texts are about the same thing; it does not see that one says "below 25 degrees" and
the other "below 30". The words do. Each kind of difference is a rule by itself, and can be switched off.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from rapidfuzz.distance import OSA, Indel, LCSseq

from entropyguard.core.params import PROTECTED, Protection
from entropyguard.core.words.lists import words_of
from entropyguard.core.words.misspelling import is_same_word
from entropyguard.core.words.numbers import numbers_in
from entropyguard.core.words.opposites import are_opposites
from entropyguard.core.words.split import SENTENCE

Kind = Protection
KINDS = PROTECTED
"""numbers: each has a number that the other lacks, or has less often, or another unit. negation: one denies what the
other says, or says the opposite. names: a name or a symbol was replaced, or two names changed places. frame: the same
beginning and end, another passage between."""

_ALIKE = 0.7  # word similarity from which a replaced word is looked at by itself
_OPPOSITE_SPAN, _NAME_SPAN, _NEAR_RELATION = 3, 2, 3
_SHARED_FRAME = 0.6
_LONG_TEXT, _PASSAGE, _PASSAGE_OF_LONG = 60, 8, 3
_SYMBOLS = frozenset("bcdfghjklmnpqrstvwxyz")  # x is a name where the other text has y
_SHORTEST_SLIP = 3  # letters of a negation that may be misspelt
_STEM = 4  # letters that words share which are forms of one
_RELATIONS = frozenset(
    ["than", "over", "to", "from", "by", "before", "after", "niż", "od", "do", "przez", "przed", "po"]
)
_NOT_DENYING = frozenset({("or", "not"), ("why", "not"), ("if", "not"), ("whether", "not"), ("not", "only")})


@dataclass(frozen=True)
class GuardedText:
    """A text as the guard sees it; cased: its words as they are written, with SENTENCE before each first one."""

    cased: tuple[str, ...]

    @cached_property
    def _marked(self) -> list[tuple[str, bool]]:
        """Each word, and whether it is the first of a sentence."""
        return [
            (word, at == 0 or self.cased[at - 1] == SENTENCE) for at, word in enumerate(self.cased) if word != SENTENCE
        ]

    @cached_property
    def words(self) -> tuple[str, ...]:
        """In lower case."""
        return tuple(word.lower() for word, _ in self._marked)

    @cached_property
    def is_name(self) -> tuple[bool, ...]:
        """Whether each word has a capital letter that no sentence asks for."""
        return tuple(word[0].isupper() and not first for word, first in self._marked)

    @cached_property
    def numbers(self) -> Counter[str]:
        """As `numbers_in` has them."""
        return numbers_in(self.words)

    @cached_property
    def negations(self) -> Counter[str]:
        """The words that deny something, and how often."""
        denying = words_of("negations")
        pairs = list(pairwise(["", *self.words, ""]))  # each word as the second of one and the first of the next
        denies = zip(pairs[:-1], self.words, pairs[1:], strict=True)
        return Counter(
            word
            for with_left, word, with_right in denies
            if word in denying and _NOT_DENYING.isdisjoint((with_left, with_right))
        )


@dataclass(frozen=True)
class Span:
    """Words of one text in the place of words of the other: from `start` to `end` in each."""

    start: int
    end: int
    other_start: int
    other_end: int


def kept_apart(text: GuardedText, other: GuardedText, kinds: Collection[Kind]) -> Kind | None:
    """The first kind of difference that keeps two texts apart; None where they may be duplicates. Symmetric."""
    if other.cased < text.cased:  # of several ways to align two texts one is taken, whichever comes first
        text, other = other, text
    if "numbers" in kinds and text.numbers - other.numbers and other.numbers - text.numbers:
        return "numbers"
    alike = Indel.normalized_similarity(text.words, other.words) >= _ALIKE
    spans = list(_replaced(text.words, other.words)) if alike else []
    if "numbers" in kinds and any(_is_other(text, other, span, words_of("units")) for span in spans):
        return "numbers"
    if "negation" in kinds and alike and (_denies(text, other) or _says_opposite(text, other, spans)):
        return "negation"
    if "names" in kinds and (_name_replaced(text, other, spans) or _names_swapped(text, other)):
        return "names"
    if "frame" in kinds and _shares_frame(text.words, other.words):
        return "frame"
    return None


def _replaced(words: Sequence[str], others: Sequence[str]) -> Iterable[Span]:
    """The spans that differ, of which neither side is empty."""
    start = other_start = 0
    for block in LCSseq.editops(words, others).as_matching_blocks():
        if block.a > start and block.b > other_start:
            yield Span(start, block.a, other_start, block.b)
        start, other_start = block.a + block.size, block.b + block.size


def _denies(text: GuardedText, other: GuardedText) -> bool:
    """Whether one of them denies more than the other; a negation misspelt, or written with its neighbour, is one."""
    negations, others = text.negations.total(), other.negations.total()
    if negations == others:
        return False
    more, less = (text, other) if negations > others else (other, text)
    alone = set(less.words) - set(more.words)
    missing = more.negations - less.negations
    slips = sum(times for negation, times in missing.items() if any(_is_slip(negation, word) for word in alone))
    return abs(negations - others) > slips


def _is_slip(negation: str, word: str) -> bool:
    """Whether a word is a negation misspelt, or written together with its neighbour."""
    if len(negation) < _SHORTEST_SLIP:
        return False
    return OSA.distance(negation, word) <= 1 or word.startswith(negation) or word.endswith(negation)


def _says_opposite(text: GuardedText, other: GuardedText, spans: Iterable[Span]) -> bool:
    return any(
        are_opposites(word, its)
        for span in spans
        if max(span.end - span.start, span.other_end - span.other_start) <= _OPPOSITE_SPAN
        for word in text.words[span.start : span.end]
        for its in other.words[span.other_start : span.other_end]
    )


def _is_other(text: GuardedText, other: GuardedText, span: Span, known: Collection[str]) -> bool:
    """Whether a span is one word of the known ones on either side."""
    words, others = text.words[span.start : span.end], other.words[span.other_start : span.other_end]
    return len(words) == len(others) == 1 and words[0] in known and others[0] in known


def _name_replaced(text: GuardedText, other: GuardedText, spans: Iterable[Span]) -> bool:
    """Whether a span is a symbol on either side, or has names of which none is the other one spelled otherwise."""
    for span in spans:
        if _is_other(text, other, span, _SYMBOLS):
            return True
        if max(span.end - span.start, span.other_end - span.other_start) > _NAME_SPAN:
            continue
        names = [text.words[at] for at in range(span.start, span.end) if text.is_name[at]]
        others = [other.words[at] for at in range(span.other_start, span.other_end) if other.is_name[at]]
        if names and others and not any(_is_one_name(name, its) for name in names for its in others):
            return True
    return False


def _is_one_name(one: str, other: str) -> bool:
    """Whether two names may be one: misspelt, in another form, or abbreviated."""
    short, long = sorted((one, other), key=len)
    shared = next((at for at, pair in enumerate(zip(short, long, strict=False)) if pair[0] != pair[1]), len(short))
    return is_same_word(one, other, in_context=True) or shared == len(short) or shared >= max(_STEM, len(short) - 2)


def _names_swapped(text: GuardedText, other: GuardedText) -> bool:
    """Whether two names stand on the other sides of a relation: A beat B, from A to B."""
    return not {(last, word, first) for first, word, last in _relations(text)}.isdisjoint(_relations(other))


def _relations(text: GuardedText) -> Iterable[tuple[str, str, str]]:
    """The names nearest to each relation, before and after it."""
    for at, word in enumerate(text.words):
        if word in _RELATIONS:
            before = range(at - 1, max(-1, at - 1 - _NEAR_RELATION), -1)
            after = range(at + 1, min(len(text.words), at + 1 + _NEAR_RELATION))
            first, last = (
                next((text.words[near] for near in side if text.is_name[near]), "") for side in (before, after)
            )
            if first and last and first != last:
                yield first, word, last


def _shares_frame(words: Sequence[str], others: Sequence[str]) -> bool:
    """Whether both begin and end alike, and between has each a passage of its own."""
    shorter = min(len(words), len(others))
    begins = next((at for at in range(shorter) if words[at] != others[at]), shorter)
    ends = next((at for at in range(shorter - begins) if words[-1 - at] != others[-1 - at]), shorter - begins)
    if begins + ends < _SHARED_FRAME * shorter:
        return False
    passage, its = words[begins : len(words) - ends], others[begins : len(others) - ends]
    least = _PASSAGE_OF_LONG if shorter >= _LONG_TEXT else _PASSAGE
    if min(len(passage), len(its)) < least:
        return False
    one, another = sorted((set(passage), set(its)), key=len)
    shared = sum(word in another or any(is_same_word(word, its, in_context=True) for its in another) for word in one)
    return shared < len(one) / 2
