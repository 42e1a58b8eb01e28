"""Texts to measure with: real ones that every installation carries, and made ones of any number."""

from __future__ import annotations

import ast
import collections
import functools
import json
import re
import sysconfig
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file
from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.models import WordLevel

_TOPICS = 2_000
_TOPIC_WORDS = 60
_SHORTEST, _LONGEST = 8, 22


def docstrings(most: int) -> list[str]:
    """Up to `most` docstrings: of the standard library, then of the packages installed here. Repeats are left in."""
    folders = [Path(sysconfig.get_path(name)) for name in ("stdlib", "platlib")]
    texts: list[str] = []
    for text in _docstrings(folders):
        texts.append(text)
        if len(texts) == most:
            break
    return texts


def _docstrings(folders: Iterable[Path]) -> Iterator[str]:
    warnings.simplefilter("ignore")  # old modules spell escapes in ways that new Pythons warn of
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            if "site-packages" in path.relative_to(folder).parts:
                continue
            try:
                tree = ast.parse(path.read_bytes())
            except (SyntaxError, ValueError, RecursionError):  # files that are wrong on purpose
                continue
            for node in ast.walk(tree):
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                    text = ast.get_docstring(node)
                    if text:
                        yield text


def distinct(texts: Iterable[str]) -> list[str]:
    """The texts, less those that repeat an earlier one but for case and white space."""
    first: dict[str, str] = {}
    for text in texts:
        first.setdefault(" ".join(text.lower().split()), text)
    return list(first.values())


def read_texts(path: Path, column: str, most: int | None = None) -> list[str]:
    """The texts of a Parquet or JSONL file, nulls left out."""
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        texts = pq.read_table(path, columns=[column])[column].to_pylist()
    else:
        texts = [json.loads(line).get(column) for line in path.read_text(encoding="utf-8").splitlines()]
    return [text for text in texts if text][:most]


def write_rows(path: Path, texts: Sequence[str], groups: Sequence[int] | None = None) -> Path:
    """JSONL with the columns id (the position), text and, if given, group."""
    with path.open("w", encoding="utf-8") as file:
        for at, text in enumerate(texts):
            row = {"id": at, "text": text} | ({"group": groups[at]} if groups else {})
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return path


@functools.cache
def made_words() -> list[str]:
    """The words of the standard library's docstrings, the frequent ones first."""
    words = collections.Counter[str]()
    for text in _docstrings([Path(sysconfig.get_path("stdlib"))]):
        words.update(re.findall(r"[a-z]{2,}", text.lower()))
    return [word for word, _ in words.most_common()]


def made_texts(count: int, seed: int = 0, *, copies: float = 0.1, near: float = 0.05) -> list[str]:
    """Short texts of 8 to 22 words: each has a topic, from whose 60 words seven in ten of its own come.

    copies, near: the shares that repeat another text, whole or but for one word. Word frequencies follow Zipf's law,
    so that vectors lie in clusters of all densities, as those of real texts do.
    """
    random = np.random.default_rng(seed)
    names = np.array(made_words(), dtype=object)
    topics = random.integers(0, len(names), (_TOPICS, _TOPIC_WORDS))
    topic = random.integers(0, _TOPICS, count)
    own = topics[topic[:, None], _zipf(random, _TOPIC_WORDS, (count, _LONGEST))]
    words = np.where(random.random((count, _LONGEST)) < 0.7, own, _zipf(random, len(names), (count, _LONGEST)))
    lengths = random.integers(_SHORTEST, _LONGEST + 1, count)
    fate = random.random(count)
    repeats, edited = np.flatnonzero(fate < near + copies), np.flatnonzero(fate < near)
    originals = random.integers(0, count, len(repeats))
    words[repeats], lengths[repeats] = words[originals], lengths[originals]
    words[edited, random.integers(0, lengths[edited])] = random.integers(0, len(names), len(edited))
    return [" ".join(row[:length]) for row, length in zip(names[words], lengths, strict=True)]


def _zipf(random: np.random.Generator, words: int, shape: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Word numbers, the n-th as often as 1/n of the first."""
    share = np.cumsum(1 / np.arange(1, words + 1))
    return np.searchsorted(share / share[-1], random.random(shape))


def write_static_model(folder: Path, dimension: int = 256) -> Path:
    """A model in model2vec's format that knows the made words: a random direction each, frequent words short ones."""
    words = made_words()
    random = np.random.default_rng(1)
    weights = 1 / (1 + 20_000 / np.arange(1, len(words) + 1) ** 1.5)  # as smooth inverse frequency weighs them
    table = random.standard_normal((len(words) + 1, dimension)) / np.sqrt(dimension)
    table[1:] *= weights[:, None]
    table[0] = 0
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0} | {word: at + 1 for at, word in enumerate(words)}, unk_token="[UNK]"))  # noqa: S106
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    save_file({"embeddings": table.astype(np.float32)}, folder / "model.safetensors")
    config = {"model_type": "model2vec", "hidden_dim": dimension, "max_length": 256, "normalize": True}
    (folder / "config.json").write_text(json.dumps(config))
    return folder
