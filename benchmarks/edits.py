"""Copies of a text with a known change, to see which changes a tool looks through, and which it must not."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edits_of_meaning import CorpusWords, look_alike, negated, renumbered, replaced
from edits_of_words import (
    dropped,
    joined,
    letter_extra,
    letter_missing,
    letters_swapped,
    moved,
    split,
    tenth_dropped,
    tenth_swapped,
)

_REWORDINGS = """
a lot of/many, a number of/several, about/regarding, achieve/reach, additionally/furthermore, also/too, answer/reply,
any/whichever, assist/help, begin/start, big/large, calculate/compute, can be/may be, cannot/can't, choose/select,
contain/hold, convert/turn, create/make, delete/remove, describe/explain, different/distinct, do not/don't,
does not/doesn't, easily/readily, ensure/make sure, error/fault, example/instance, fast/quick, finally/lastly,
find/locate, first/initial, for example/for instance, function/routine, generate/produce, get/obtain, give/provide,
given/supplied, good/fine, happy/glad, however/but, huge/enormous, if the/whenever the, important/essential,
in order to/to, is not/isn't, it is/it's, keep/retain, list/sequence, main/principal, maximum/largest, method/way,
minimum/smallest, must/has to, need/require, new/fresh, number/figure, often/frequently, only/solely, otherwise/or else,
output/result, people/persons, person/individual, please/kindly, possible/feasible, quickly/rapidly, return/give back,
same/identical, sentence/phrase, set/assign, shop/store, should/ought to, show/display, simple/plain, small/little,
some/a few, string/text, such as/like, suggest/propose, take/accept, that is/i.e., therefore/so, these/those,
use/employ, used/employed, using/by means of, usually/normally, value/quantity, want/wish, which/that, will/shall,
write/compose
"""
_SYNONYMS: dict[str, str] = {}
for _pair in _REWORDINGS.split(","):
    _one, _, _other = _pair.strip().partition("/")
    _SYNONYMS |= {_one: _other}
_REWORDED = re.compile(r"\b(" + "|".join(sorted(_SYNONYMS, key=len, reverse=True)) + r")\b", re.IGNORECASE)
_LEAST_REWORDED = 0.08  # of the words: fewer is a typo's worth
_FREE_MARK = re.compile(r"(?<![\d\W])[.,;:!?](?=\s|$)|(?<=\s)[\"'(](?=[^\W\d])|(?<=[^\W\d])[\"')](?=\s|$)")
_OTHER_MARKS = {".": "!;…", ",": ";", ";": ",", ":": ".", "!": ".", "?": ".!", '"': "'“", "'": '"', "(": "[", ")": "]"}
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")

Edit = Callable[[str, random.Random, CorpusWords], str | None]


@dataclass(frozen=True)
class Injected:
    """A row that was made from another: the position of both, and how."""

    row: int
    parent: int
    kind: str


def copied(text: str, rng: random.Random, corpus: CorpusWords) -> str | None:  # noqa: ARG001
    """The text itself."""
    return text


def recased(text: str, rng: random.Random, corpus: CorpusWords) -> str | None:  # noqa: ARG001
    """Capitals, small letters, or the one for the other."""
    return rng.choice([text.upper(), text.lower(), text.swapcase()])


def respaced(text: str, rng: random.Random, corpus: CorpusWords) -> str | None:  # noqa: ARG001
    """One space in five doubled or made a line's end, and something after the last word."""
    changed = re.sub(" ", lambda _: rng.choice(["  ", "\n"]) if rng.random() < 0.2 else " ", text)
    return changed + rng.choice([" ", "\n"])


def repunctuated(text: str, rng: random.Random, corpus: CorpusWords) -> str | None:  # noqa: ARG001
    """Half of the marks at a word's end or beginning left out or made others; none beside a digit is touched."""
    changed = _FREE_MARK.sub(
        lambda mark: rng.choice(["", *_OTHER_MARKS[mark[0]]]) if rng.random() < 0.5 else mark[0], text
    )
    return changed if changed != text else f"{text}!"


def reordered(text: str, rng: random.Random, corpus: CorpusWords) -> str | None:  # noqa: ARG001
    """The sentences (or lines) in another order; None where there are fewer than three."""
    sentences = [sentence for sentence in _SENTENCE_END.split(text.strip()) if sentence]
    shuffled = rng.sample(sentences, len(sentences))
    return " ".join(shuffled) if len(sentences) >= 3 and shuffled != sentences else None


def reworded(text: str, rng: random.Random, corpus: CorpusWords) -> str | None:  # noqa: ARG001
    """Common words by others of like meaning; None where fewer than one word in twelve or so has one here."""
    changed, count = _REWORDED.subn(lambda match: _as_cased(match[0], _SYNONYMS[match[0].lower()]), text)
    return changed if count >= max(1, _LEAST_REWORDED * len(text.split())) else None


def _as_cased(old: str, new: str) -> str:
    return new[0].upper() + new[1:] if old[0].isupper() else new


GROUPS: dict[str, dict[str, Edit]] = {
    "exact": {"exact": copied},
    "variant": {"case": recased, "white space": respaced, "punctuation": repunctuated},
    "light": {
        "letter missing": letter_missing,
        "letter extra": letter_extra,
        "letters swapped": letters_swapped,
        "word dropped": dropped,
        "word moved": moved,
        "words joined": joined,
        "word split": split,
    },
    "medium": {
        "sentences reordered": reordered,
        "a tenth dropped": tenth_dropped,
        "a tenth swapped": tenth_swapped,
    },
    "reworded": {"reworded": reworded},
    "other": {"number changed": renumbered, "word replaced": replaced, "negation added": negated},
    "look-alike": {"word replaced by a look-alike": look_alike},
}
"""What is done to a text; a tool is to see through all but the last two groups. `light`: to one to three words."""

KINDS: dict[str, Edit] = {kind: edit for group in GROUPS.values() for kind, edit in group.items()}
_SELDOM_FIT = ("word replaced by a look-alike", "reworded", "number changed", "sentences reordered", "negation added")


def inject(texts: Sequence[str], each: int, seed: int = 0) -> tuple[list[str], list[Injected]]:
    """`texts` and after them, in random order, up to `each` edited copies of every kind, no text edited twice."""
    rng, corpus = random.Random(seed), CorpusWords(texts)
    unused = list(range(len(texts)))
    rng.shuffle(unused)
    made: list[tuple[str, int, str]] = []
    for kind in sorted(KINDS, key=lambda kind: kind not in _SELDOM_FIT):  # first come those that few texts are fit for
        count = 0
        for parent in list(unused):
            if count == each:
                break
            edited = KINDS[kind](texts[parent], rng, corpus)
            if edited is not None and (edited != texts[parent] or kind == "exact"):
                made.append((edited, parent, kind))
                unused.remove(parent)
                count += 1
    rng.shuffle(made)
    injected = [Injected(len(texts) + at, parent, kind) for at, (_, parent, kind) in enumerate(made)]
    return [*texts, *(edited for edited, _, _ in made)], injected
