"""Texts for the tests of near-duplicates: templates, many kinds of edits of them, and the stage run on texts."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from entropyguard.core.near.near_dedup import NearCounts, drop_near_duplicates
from entropyguard.core.near.row_words import RowWords, RowWordsWriter, facts_of
from entropyguard.core.near.vocabulary import Vocabulary
from entropyguard.core.params import KeepParams, NearParams
from entropyguard.core.pool.pool import InlinePool, Pool
from entropyguard.core.progress import Progress, silent
from entropyguard.core.rows.normalise import content_hash
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parquet import TableWriter
from entropyguard.core.storage.parts import PartStore
from entropyguard.core.words.split import Words

NEAR = NearParams(0.85, 8, 128, 32, "protect", protect_numbers=False)
FIRST = KeepParams("first", "", ())
BIG = 1 << 30
OUTPUTS = ("out", "dropped", "pairs")
SCHEMA = pa.schema([("row_id", pa.int64()), ("file", pa.int32()), ("line", pa.int64()), ("record", pa.large_string())])

TEMPLATES = (
    "restart it",
    "pay 40 euros today",
    "why is my card not working",
    "how do I change the PIN of my virtual card?",
    "In 1999 the library held 1,200 books, and nobody counted them twice.",
    "The red fox crossed the frozen river before dawn; the hunters, who slept in the old barn, heard nothing of it.",
    "Install the package with apt on arm64, then restart the arm64 service: it reads 3 files and writes 12 lines to "
    "the log of the host, unless the disk is full.",
    "If x != y then z = x + 4 * y, else z = 0; the loop ends when z > 100 and prints 7 values.",
    "東京の夏は暑いので、毎年八月に家族と海へ行きます。",
    "ฉันชอบกินข้าวผัดกับเพื่อนทุกวันศุกร์",
    "क्षत्रिय राजा ने 12 गाँवों को नहीं जीता और वह घर लौट गया",
    "Ala ma 2 koty, ale nie ma psa, bo pies sąsiada szczeka całą noc i wszyscy są niewyspani od tygodnia 😀",
    "A long report on the harvest: the farmers of the valley brought in more wheat than in any year since 1987, and "
    "the mill at the bridge ran day and night for 6 weeks, while the trains to the coast were late because the old "
    "line could not carry so much; the ministry promised to repair it within 18 months, but the farmers, who had "
    "heard such promises before, began to build a road of their own along the river to the harbour.",
)
"""From two words to over seventy; numbers, negations, topics, marks and five scripts."""

NEGATIONS = ("not", "no", "never", "nie", "不")
WORDS = ("green", "house", "of", "a", "copper", "wandering", "2024", "7", "c++")
MARKS = ("-", "@", "+", "$", "€", "=", "😀", "%")


Edit = Callable[[list[str], int, random.Random], list[str]]
"""Changes a text's words, at a place among them."""


def _word(change: Callable[[str, int, random.Random], str]) -> Edit:
    """The edit that changes one word, at a place in it."""

    def edit(words: list[str], at: int, chance: random.Random) -> list[str]:
        changed = change(words[at], chance.randrange(len(words[at])), chance)
        return [*words[:at], *changed.split(), *words[at + 1 :]]

    return edit


def _insert(choice: Callable[[list[str], random.Random], str]) -> Edit:
    return lambda words, at, chance: [*words[:at], choice(words, chance), *words[at:]]


def _move(words: list[str], at: int, chance: random.Random) -> list[str]:
    rest = words[:at] + words[at + 1 :]
    to = chance.randrange(len(words))
    return [*rest[:to], words[at], *rest[to:]]


def _thin(words: list[str], at: int, chance: random.Random) -> list[str]:
    share = chance.choice([0.15, 0.3, 0.4])
    return [word for word in words if chance.random() > share]


EDITS: tuple[Edit, ...] = (
    lambda words, at, chance: words[:at] + words[at + 1 :],
    _word(lambda word, at, chance: word[:at] + word[at + 1 :]),
    _word(lambda word, at, chance: word[:at] + word[at : at + 2][::-1] + word[at + 2 :]),
    _word(lambda word, at, chance: word[:at] + chance.choice("aeiostn") + word[at:]),
    _word(lambda word, at, chance: word[:at] + chance.choice("aeiostn") + word[at + 1 :]),
    _word(lambda word, at, chance: word[:at] + " " + word[at:]),
    _word(lambda word, at, chance: word.replace("1", chance.choice("23"))),
    _word(lambda word, at, chance: word.replace("1,200", "1200")),
    _word(lambda word, at, chance: chance.choice(WORDS)),
    _insert(lambda words, chance: chance.choice(WORDS)),
    _insert(lambda words, chance: chance.choice(NEGATIONS)),
    _insert(lambda words, chance: chance.choice(MARKS)),
    _insert(lambda words, chance: chance.choice(words)),
    lambda words, at, chance: [*words[:at], "".join(words[at : at + 2]), *words[at + 2 :]],
    _move,
    _thin,
    _thin,
    lambda words, at, chance: [word for word in words if not word.isdigit()],
    lambda words, at, chance: [word.upper().strip(".,;") for word in words],
)


def edited(text: str, chance: random.Random) -> str:
    """The text with a change of any of the kinds on which a verdict turns."""
    words = text.split()
    return " ".join(chance.choice(EDITS)(words, chance.randrange(len(words)), chance)) or text


def made_texts(count: int, seed: int = 0) -> list[str]:
    """Different texts: the templates, and edits of them and of their edits."""
    chance = random.Random(seed)
    texts = dict.fromkeys(TEMPLATES)
    while len(texts) < count:
        text = chance.choice(list(texts)[-60:] if chance.random() < 0.4 else TEMPLATES)
        texts[edited(text, chance)] = None
    return list(texts)[:count]


def row_words(folder: Path, texts: Sequence[str], together: int = 100) -> RowWords:
    """The words of texts, taken in parts of `together` rows."""
    with RowWordsWriter(folder, len(texts)) as writer:
        for start in range(0, len(texts), together):
            some, vocabulary = pl.Series(texts[start : start + together], dtype=pl.String), Vocabulary()
            facts = facts_of(Words(some), vocabulary)
            writer.add(facts, vocabulary.words, vocabulary.facts, content_hash(some), facts.words > 0)
        return writer.finish()


def write_rows(path: Path, texts: Sequence[str], group_rows: int = 65_536) -> Path:
    """after_exact_dedup.parquet of texts; row ids are 0, 3, 6... and each record has `n`, its number, and `from`."""
    ids = [3 * at for at in range(len(texts))]
    lines = [json.dumps({"n": at, "from": "abc"[at % 3], "text": text}) for at, text in enumerate(texts)]
    about = {"format": "jsonl", "text_column": "text"}
    with TableWriter(path, SCHEMA, about, group_rows=group_rows) as writer:
        writer.write(pa.table([ids, [0] * len(ids), ids, lines], schema=SCHEMA))
    return path


def dedup(
    folder: Path,
    texts: Sequence[str],
    near: NearParams = NEAR,
    keep: KeepParams = FIRST,
    store: PartStore | None = None,
    max_memory: int = BIG,
    progress: Progress = silent,
    group_rows: int = 65_536,
    pool: Pool | None = None,
) -> NearCounts:
    """Run the stage on texts; its outputs are in the folder."""
    rows = Checkpoint(write_rows(folder / "rows.parquet", texts, group_rows))
    out, dropped, pairs = (folder / f"{name}.parquet" for name in OUTPUTS)
    return drop_near_duplicates(
        rows, out, dropped, pairs, near, keep, store, max_memory, progress, pool or InlinePool()
    )


def small_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many units for few rows: 40 rows, a band, about 100 pairs; and no rows are too few for a pool."""
    monkeypatch.setattr("entropyguard.core.near.near_dedup._POOL_GAINS_ABOVE_ROWS", 0)
    monkeypatch.setattr("entropyguard.core.near.text_units.UNIT_ROWS", 40)
    monkeypatch.setattr("entropyguard.core.near.band_units._UNIT_HASHES", 1)
    monkeypatch.setattr("entropyguard.core.near.band_units._PART_HASHES", 100)
    monkeypatch.setattr("entropyguard.core.near.asked._RANGE_WORDS", 5_000)
    monkeypatch.setattr("entropyguard.core.near.asked._PAIRS_TOGETHER", 200)


def outputs(folder: Path) -> list[bytes]:
    """The bytes of what `dedup` wrote."""
    return [(folder / f"{name}.parquet").read_bytes() for name in OUTPUTS]
