"""The guard: texts of one template that state other facts are kept apart, and rewordings are not."""

from __future__ import annotations

import random

import polars as pl
import pytest

from entropyguard.core.semantic.guard import KINDS, GuardedText, Kind, kept_apart
from entropyguard.core.words.split import cased_words

LONG = (
    "The committee met on the first floor of the old town hall and talked for hours about the plans for the new school"
)


def guarded(text: str) -> GuardedText:
    return GuardedText(tuple(cased_words(pl.Series([text]))[0]))


def kind_of(one: str, other: str) -> Kind | None:
    first, second = guarded(one), guarded(other)
    kind = kept_apart(first, second, KINDS)
    assert kept_apart(second, first, KINDS) == kind
    if kind is not None:  # and by its own rule alone it is not let pass either
        assert kept_apart(first, second, [kind]) == kind
        others = [name for name in KINDS if name != kind]
        assert kept_apart(first, second, others) != kind
    return kind


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        ("Store it below 25 degrees.", "Store it below 30 degrees.", "numbers"),
        ("The index rose by 0.7 percent.", "The index rose by 1.2 percent.", "numbers"),
        ("Profits of the third quarter were good.", "Profits of the second quarter were good.", "numbers"),
        ("A temperature of 40 degrees", "A temperature of -40 degrees", "numbers"),
        ("It is 277 m long", "It is 276 1/2 m long", "numbers"),
        ("Some 180,000 men were there", "Some 80,000 men were there", "numbers"),
        ("Received block blk_-49 of size 67", "Received block blk_-50 of size 67", "numbers"),
        ("the feature is now enabled by default", "the feature is now disabled by default", "negation"),
        ("Add 500 g of flour to the bowl", "Add 500 kg of flour to the bowl", "numbers"),
        ("Return the x coordinate of the point", "Return the y coordinate of the point", "names"),
        ("The door of the house was open", "The door of the house was not open", "negation"),
        ("The price of oil went up on Monday", "The price of oil went down on Monday", "negation"),
        ("Set the flag of the job to true", "Set the flag of the job to false", "negation"),
        ("Drzwi do domu były otwarte", "Drzwi do domu nie były otwarte", "negation"),
        ("a flight from Paris to London on Monday", "a flight from London to Paris on Monday", "names"),
        ("yesterday Poland won over Norway in Oslo", "yesterday Norway won over Poland in Oslo", "names"),
        ("The mayor of Gdańsk opened a bridge", "The mayor of Kraków opened a bridge", "names"),
        (
            f"{LONG}. In the end nobody agreed and everyone went home rather angry indeed",
            f"{LONG}. Afterwards they voted, signed all contracts, and celebrated until midnight together",
            "frame",
        ),
    ],
)
def test_other_facts_in_one_template(one: str, other: str, kind: Kind) -> None:
    assert kind_of(one, other) == kind


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How do I learn to play the guitar?", "What is the best way to learn guitar?"),
        ("He has 5kg of rice at home", "At home he has 5 kg of rice"),
        ("The price rose to 1,200 dollars", "The price went to $1200"),
        ("The train leaves at ten", "The train leaves at 10"),
        ("I don't know whether or not he will come", "I don't know whether he will come"),
        ("The company said on Monday that profits rose", "On Monday the firm said that its profits rose"),
        ("They met the mayor of Krakow yesterday", "They met the mayor of Krakows yesterday"),
        ("BUSHELS, 5, of wheat", "BUSHELS 5 of wheat"),
        ("A man is playing a guitar on stage", "A man plays the guitar on a stage"),
        (
            "The Cat sat. A dog ran away",
            "The cat sat. The dog ran away",
        ),  # a capital that a sentence asks for is no name
        ("", ""),
        ("one two", ""),
    ],
)
def test_rewordings_are_let_pass(one: str, other: str) -> None:
    assert kind_of(one, other) is None


def test_a_number_that_one_side_alone_has_is_no_reason() -> None:
    assert kind_of("The meeting at noon took 3 hours", "The meeting at noon took hours") is None


def test_nothing_keeps_a_text_apart_from_itself_and_the_guard_is_symmetric() -> None:
    rng = random.Random(0)
    said = "the two trains from Paris to London were late by 20 minutes and nobody was told on time"
    template = said.split(" ")
    others = ["not", "Oslo", "three", "30", "early", "up", "down", "enabled", "disabled", "never", "a"]
    texts = []
    for _ in range(60):
        words = list(template)
        for _ in range(rng.randint(1, 4)):
            words[rng.randrange(len(words))] = rng.choice(others + template)
        texts.append(guarded(" ".join(words)))
    assert not any(kept_apart(text, text, KINDS) for text in texts)
    for kinds in (KINDS, *([kind] for kind in KINDS)):
        found = [[kept_apart(one, other, kinds) for other in texts] for one in texts]
        assert found == [list(column) for column in zip(*found, strict=True)]
        assert kinds == ["frame"] or any(kind is not None for row in found for kind in row)
    assert not any(kept_apart(one, other, []) for one in texts for other in texts)
