"""Copies of a text with a known change, to see which changes a tool looks through."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

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

Edit = Callable[[str, random.Random], str | None]


@dataclass(frozen=True)
class Injected:
    """A row that was made from another: the position of both, and how."""

    row: int
    parent: int
    kind: str


def copied(text: str, rng: random.Random) -> str | None:  # noqa: ARG001
    """The text itself."""
    return text


def recased(text: str, rng: random.Random) -> str | None:
    """Other case, and white space doubled here and there."""
    changed = rng.choice([text.upper(), text.lower(), text.swapcase()])
    return re.sub(" ", lambda _: "  " if rng.random() < 0.2 else " ", changed) + rng.choice(["", " ", "\n"])


def mistyped(text: str, rng: random.Random) -> str | None:
    """One pair of letters swapped for each 100 characters, at least one."""
    letters = list(text)
    places = [at for at in range(len(text) - 1) if text[at : at + 2].isalpha() and text[at] != text[at + 1]]
    if not places:
        return None
    for at in rng.sample(places, min(len(places), 1 + len(text) // 100)):
        letters[at], letters[at + 1] = letters[at + 1], letters[at]
    return "".join(letters)


def shortened(text: str, rng: random.Random) -> str | None:
    """One word in twelve left out, at least one."""
    parts = re.split(r"(\s+)", text)
    words = range(0, len(parts), 2)
    if len(words) < 4:
        return None
    gone = set(rng.sample(list(words), max(1, len(words) // 12)))
    return "".join(part for at, part in enumerate(parts) if at not in gone)


def reworded(text: str, rng: random.Random) -> str | None:  # noqa: ARG001
    """Common words by others of like meaning; None where fewer than one word in twelve or so has one here."""
    changed, count = _REWORDED.subn(lambda match: _as_cased(match[0], _SYNONYMS[match[0].lower()]), text)
    return changed if count >= max(1, _LEAST_REWORDED * len(text.split())) else None


def _as_cased(old: str, new: str) -> str:
    return new[0].upper() + new[1:] if old[0].isupper() else new


KINDS: dict[str, Edit] = {
    "exact": copied,
    "case, space": recased,
    "typos": mistyped,
    "words dropped": shortened,
    "reworded": reworded,
}


def inject(texts: Sequence[str], each: int, seed: int = 0) -> tuple[list[str], list[Injected]]:
    """`texts` and after them, in random order, up to `each` edited copies of every kind, no text edited twice."""
    rng = random.Random(seed)
    unused = list(range(len(texts)))
    rng.shuffle(unused)
    made: list[tuple[str, int, str]] = []
    for kind in sorted(KINDS, key=lambda kind: kind != "reworded"):  # first come those that few texts are fit for
        count = 0
        for parent in list(unused):
            if count == each:
                break
            edited = KINDS[kind](texts[parent], rng)
            if edited is not None and (edited != texts[parent] or kind == "exact"):
                made.append((edited, parent, kind))
                unused.remove(parent)
                count += 1
    rng.shuffle(made)
    injected = [Injected(len(texts) + at, parent, kind) for at, (_, parent, kind) in enumerate(made)]
    return [*texts, *(edited for edited, _, _ in made)], injected
