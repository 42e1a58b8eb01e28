"""Which texts a model's vocabulary shows that it cannot read."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_lowercase

import numpy as np
import pytest

from entropyguard.core.embed.encoder import Encoder
from entropyguard.core.embed.loader import load_encoder
from entropyguard.core.embed.model import resolve_model
from entropyguard.core.embed.scripts import ScriptCoverage
from entropyguard.core.rows.scripts import script_names

UNKNOWN = ""
SYLLABLES = [first + second for first in ascii_lowercase for second in "aeiou"]
PIECES = [
    *(UNKNOWN, "cat", "sat", "##41", "!", "Kubernetes", "\ufffd"),
    *SYLLABLES,
    *"яблок",  # letters without words
    *("##ия", "##ов"),
    *"世界",
]


def cannot_read(tokens: Sequence[str], text: str | None = None) -> bool:
    """Whether a model of these pieces cannot read the text of these tokens; None: they spell it."""
    ids = np.array([PIECES.index(token) for token in tokens], dtype=np.int32)
    texts = ["".join(tokens) if text is None else text]
    return bool(ScriptCoverage(PIECES, [0]).unreadable(ids, np.array([len(ids)]), texts)[0])


@pytest.mark.parametrize(
    ("tokens", "unreadable"),
    [
        (["cat", "sat", "!"], False),
        ([*"яблоко", "!"], True),
        (["я", "##ия", "##ов"], True),  # a few endings are no words
        ([*"世界"], True),
        (["cat", *"яб"], True),
        (["cat", "sat", *"яб"], False),  # as much that it can read as what it cannot
        (["##41", "я"], False),  # digits can be read
        (["я", "!", "!", "!"], True),  # punctuation says nothing either way
        (["!", "!"], False),
        ([UNKNOWN], True),
        ([], True),
    ],
)
def test_letters_of_a_script_without_words_cannot_be_read(tokens: list[str], unreadable: bool) -> None:
    assert cannot_read(tokens) == unreadable


@pytest.mark.parametrize("hole", [UNKNOWN, "\ufffd"], ids=["unknown", "part of a character"])
def test_what_a_token_hides_is_counted_by_its_letters(hole: str) -> None:
    assert cannot_read(["cat", "sat", hole], "cat sat ขอบคุณมาก")
    assert not cannot_read(["cat", "sat", hole], "cat sat ðœþ")  # of a script that is read
    assert not cannot_read(["cat", "sat", hole], "cat sat 🎉🎉🎉🎉")


@pytest.mark.parametrize(
    ("pieces", "scripts"),
    [
        ([*SYLLABLES, *"яблок"], ["Latin"]),
        (
            [*SYLLABLES, *(f"{first}{second}" for first in "абвгдежзик" for second in "абвгдежзик")],
            ["Cyrillic", "Latin"],
        ),
        ([*SYLLABLES, *map(chr, range(0x4E00, 0x4E00 + 999))], ["Latin"]),
        ([*SYLLABLES, *map(chr, range(0x4E00, 0x4E00 + 1000))], ["Han", "Latin"]),
        ([*ascii_lowercase, *"яблок"], script_names()),
    ],
    ids=["letters", "words", "some characters", "many characters", "a vocabulary of letters alone"],
)
def test_a_script_is_read_that_the_vocabulary_has_words_of(pieces: list[str], scripts: list[str]) -> None:
    assert ScriptCoverage(pieces, []).scripts_read() == scripts


def test_a_texts_mark_does_not_depend_on_the_texts_beside_it() -> None:
    rows = [["cat"], [UNKNOWN], [], ["cat", UNKNOWN], [*"яблоко"], ["cat", UNKNOWN]]
    texts = ["cat", "ขอบคุณ", "", "cat ขอบคุณ", "яблоко", "cat ☃"]
    ids = np.array([PIECES.index(token) for row in rows for token in row], dtype=np.int32)
    sizes = np.array([len(row) for row in rows])
    assert ScriptCoverage(PIECES, [0]).unreadable(ids, sizes, texts).tolist() == [False, True, True, True, True, False]


FOREIGN = [
    "Менің дәптерім бар.",
    "Это мой дом.",
    "Ο Τομ είναι νέος και ταλαντούχος.",
    "زىيارەت قىلماڭ!",
    "وصلت الرسالة أمس.",
    "הילדה קוראת ספר.",
    "আমি একজন ছাত্র।",
    "बच्चे मैदान में खेल रहे हैं।",
    "ขอบคุณมากครับ Facebook",
    "คุณไม่จำเป็นต้องทำเช่นนี้",
    "ეს ჩემი სახლია.",
    "Սա իմ տունն է։",
    "បងប្អូនស្រីរបស់ខ្ញុំ",
    "나는 학생입니다.",
    "今日は天気がいいですね。",
    "Tom吃了。",
    "我们今天去公园散步",
    "ሰላም ለሁላችሁ",
]

READABLE = [
    "Where is the station?",
    "Gdzie jest dworzec kolejowy?",
    "Tom Mary'nin okuyamadığını öğrendi.",
    "Tôi là một sinh viên.",
    "The angle α + β equals 90°.",
    "Tolstoy (Толстой) wrote long novels about war.",
    "for i in range(10): print(i ** 2)  # 世界",
    "3.14159 2.71828 1.41421",
    "Thank you so much 🎉🎉🎉",
    "naïve café, Žižek, Ångström",
]


@pytest.fixture(scope="module")
def minilm() -> Encoder:
    return load_encoder(resolve_model("all-MiniLM-L6-v2", allow_download=False), threads=1)


@pytest.mark.model
def test_minilm_cannot_read_scripts_of_which_it_knows_letters_alone(minilm: Encoder) -> None:
    marks = minilm.tokenise(FOREIGN, 1).skipped
    assert [text for text, why in zip(FOREIGN, marks, strict=True) if why != "unreadable"] == []


@pytest.mark.model
def test_minilm_reads_latin_letters_numbers_and_code(minilm: Encoder) -> None:
    marks = minilm.tokenise(READABLE, 1).skipped
    assert [text for text, why in zip(READABLE, marks, strict=True) if why is not None] == []
