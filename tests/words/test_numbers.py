"""Numbers as they are compared: which spellings are one number, and which are not."""

from __future__ import annotations

from collections import Counter

import polars as pl
import pytest

from entropyguard.core.words.numbers import numbers_in
from entropyguard.core.words.opposites import are_opposites
from entropyguard.core.words.split import Words


def numbers(text: str) -> Counter[str]:
    return numbers_in(Words(pl.Series([text])).words[0])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1,200 rows", "1200 rows"),
        ("12,345,678", "12345678"),
        ("1,200.50 zł", "1200.50 zł"),
        ("2,5 kg", "2.5kg"),
        ("BUSHELS, 5,", "BUSHELS 5*"),
        ("on the 3rd", "on the third"),
        ("two cats", "2 cats"),
        ("pięć kotów", "5 kotów"),
        ("\u0663 rows", "3 rows"),  # digits of any script
        ("\u22125 degrees", "-5 degrees"),
        ("item 40mg", "item 40 mg"),
        ("(1999)", "1999."),
    ],
)
def test_one_number_in_two_spellings(one: str, other: str) -> None:
    assert numbers(one) == numbers(other) != Counter()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("40 degrees", "-40 degrees"),
        ("277", "276 1/2"),
        ("1.32", "1.35"),
        ("1.32", "132"),
        ("10:30", "1030"),
        ("10²", "102"),
        ("blk_-4980916519894289629", "blk_-1608999687919862906"),
        ("550e8400-e29b-41d4-a716-446655440000", "550e8400-e29b-41d4-a716-446655440001"),
        ("0x5f3a", "0x5f3b"),
        ("x86", "86"),
        ("two cats", "three cats"),
        ("2024-05-01", "2024-06-01"),
        ("trzy koty", "cztery koty"),
    ],
)
def test_two_numbers(one: str, other: str) -> None:
    assert numbers(one) - numbers(other)
    assert numbers(other) - numbers(one)


def test_a_text_without_numbers_has_none() -> None:
    assert numbers("No number here, at all: (ever)") == Counter()


@pytest.mark.parametrize(
    ("one", "other", "opposite"),
    [
        ("enabled", "disabled", True),
        ("before", "after", True),
        ("install", "uninstall", True),
        ("legal", "illegal", True),
        ("bezpieczny", "niebezpieczny", True),
        ("włączony", "wyłączony", True),
        ("in", "inn", False),
        ("port", "import", True),  # a prefix that turns some words round is taken to turn all
        ("cat", "dog", False),
        ("enabled", "enabled", False),
    ],
)
def test_opposites(one: str, other: str, opposite: bool) -> None:
    assert are_opposites(one, other) is are_opposites(other, one) is opposite
