"""Both kinds of encoder: what they cannot read, what they give, and that neighbours change no bit."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from entropyguard.core.embed.encoder import Encoder
from entropyguard.core.embed.loader import facts_of, load_encoder
from entropyguard.core.embed.model import resolve_model
from entropyguard.core.errors import UsageError
from tests.static_model import write_static_model

Vectors = npt.NDArray[np.float32]

SHORT = ["The cat sat on the mat.", "A dog!", "Where is the station, please?", "It rained all day and all night."]
RIVER = "the river runs to the sea and back again "
LONG = [f"{word} {RIVER * repeats}" for word in ("one", "two") for repeats in (1, 4, 20)]


def encode(encoder: Encoder, texts: Sequence[str]) -> dict[str, Vectors]:
    """The vector of each text that is one window; texts that are skipped have none."""
    tokens = encoder.tokenise(texts, max_windows=1)
    of_window = np.flatnonzero(tokens.counts)
    return {
        texts[of_window[at]]: row
        for places, rows in encoder.encode(tokens, np.arange(len(of_window)))
        for at, row in zip(places, rows, strict=True)
    }


def same_bits(left: dict[str, Vectors], right: dict[str, Vectors]) -> bool:
    """Whether the texts that are in both have equal vectors, and there are some."""
    common = left.keys() & right.keys()
    return bool(common) and all(left[text].tobytes() == right[text].tobytes() for text in common)


@pytest.fixture(scope="module")
def static(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return load_encoder(write_static_model(tmp_path_factory.mktemp("static"), window=20))


@pytest.fixture(scope="module")
def minilm() -> Encoder:
    return load_encoder(resolve_model("all-MiniLM-L6-v2", allow_download=False), threads=2)


def test_a_static_model_loads_without_torch(tmp_path: Path) -> None:
    folder = write_static_model(tmp_path / "model")
    code = (
        "import sys; from pathlib import Path; from entropyguard.core.embed.loader import facts_of, load_encoder;"
        f"load_encoder(Path({str(folder)!r})); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_static_vectors_are_similar_as_far_as_words_are_shared(static: Encoder) -> None:
    a, b, c = encode(static, ["The cat sat on the mat.", "A cat sat on a mat!", "Music and dance all night"]).values()
    assert a @ b > 0.95
    assert abs(a @ c) < 0.4
    assert a @ a == pytest.approx(1, abs=1e-6)


def test_static_vectors_are_sums_token_by_token_whatever_is_embedded_beside_them(tmp_path: Path) -> None:
    folder = write_static_model(tmp_path / "model", window=20)
    rng = np.random.default_rng(0)
    table = load_file(folder / "model.safetensors")["embeddings"]
    table[1:] = (rng.standard_normal(table[1:].shape) * 10 ** rng.uniform(-6, 6, table[1:].shape)).astype(np.float32)
    save_file({"embeddings": table}, folder / "model.safetensors")
    encoder = load_encoder(folder)
    tokens = encoder.tokenise([*SHORT, *LONG] * 60, max_windows=99)
    vectors = np.empty((len(tokens.ends), encoder.dimension), dtype=np.float32)
    for places, rows in encoder.encode(tokens, np.arange(len(tokens.ends))):
        vectors[places] = rows
    assert len(set(tokens.lengths().tolist())) > 3
    for window, vector in enumerate(vectors):
        total = np.zeros(encoder.dimension)
        for token in tokens.of(window):
            total += table[token] * (token != encoder._tokenizer.unknown)  # type: ignore[attr-defined]
        exact = total / np.sqrt(np.square(total).sum())
        assert vector.tobytes() == exact.astype(np.float32).tobytes()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "unreadable"),
        ("   ", "unreadable"),
        ("你好 世界", "unreadable"),
        ("好 cat", None),  # as much that it can read as what it cannot
        ("你好 cat", "unreadable"),  # one unknown token, but of two letters
        ("flibbertigibbet cat", None),  # a word it does not know, of a script it reads
        ("cat " * 20, None),
        ("cat " * 21, "over_long"),
        ("cat" + " " * 5_000, "over_long"),  # too long to be counted
    ],
)
def test_a_text_the_static_model_cannot_take_is_marked(static: Encoder, text: str, why: str | None) -> None:
    assert static.tokenise([text], 1).skipped == [why]


words = st.sampled_from(["the", "cat", "dog", "river", "zebra", "7", "音"])
sentences = st.lists(words, min_size=1, max_size=12).map(" ".join)


@given(st.lists(sentences, min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_static_bits_do_not_hang_on_order_or_company(static: Encoder, texts: list[str], random: object) -> None:
    alone = {text: vector for text in texts for vector in encode(static, [text]).values()}
    shuffled = texts.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    together = encode(static, shuffled)
    assert together.keys() == alone.keys()
    assert not together or same_bits(alone, together)


def test_a_quantised_vocabulary_gives_the_same_vectors(tmp_path: Path) -> None:
    plain, mapped = write_static_model(tmp_path / "plain"), write_static_model(tmp_path / "mapped")
    table = load_file(plain / "model.safetensors")["embeddings"]
    halved = {
        "embeddings": table[::-1] * 2,
        "mapping": np.arange(len(table))[::-1],
        "weights": np.full(len(table), 0.5),
    }
    save_file({name: np.ascontiguousarray(tensor) for name, tensor in halved.items()}, mapped / "model.safetensors")
    assert same_bits(encode(load_encoder(plain), SHORT), encode(load_encoder(mapped), SHORT))


def test_static_weights_that_are_damaged_are_named(tmp_path: Path) -> None:
    folder = write_static_model(tmp_path / "model")
    (folder / "model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(UsageError, match=r"model\.safetensors holds no static model"):
        load_encoder(folder)


def test_a_tokenizer_that_is_damaged_is_named(tmp_path: Path) -> None:
    folder = write_static_model(tmp_path / "model")
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(UsageError, match=r"tokenizer\.json cannot be read"):
        load_encoder(folder)


def test_the_window_is_part_of_the_fingerprint(tmp_path: Path) -> None:
    narrow, wide = (write_static_model(tmp_path / str(window), window=window) for window in (10, 20))
    assert load_encoder(narrow).fingerprint != load_encoder(wide).fingerprint


@pytest.mark.model
def test_weights_are_not_loaded_where_no_text_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = resolve_model("all-MiniLM-L6-v2", allow_download=False)
    monkeypatch.setattr("entropyguard.core.embed.bert.load_file", None)
    encoder = load_encoder(folder)
    assert encoder.dimension == 384
    assert encode(encoder, ["Այսօր գարուն է", ""]) == {}
    with pytest.raises(UsageError, match="does not hold the model"):
        encode(encoder, SHORT)


def test_a_text_minilm_cannot_take_is_marked(minilm: Encoder) -> None:
    texts = ["我们今天去公园散步", "请把窗户关上", "", "hello", "cat " * 254, "cat " * 255]
    unreadable, taken = ["unreadable"] * 3, [None, None]
    assert minilm.tokenise(texts, 1).skipped == [*unreadable, *taken, "over_long"]


@pytest.mark.model
def test_minilm_is_the_same_in_another_process_and_says_so_fact_by_fact(minilm: Encoder) -> None:
    facts = facts_of(minilm)
    assert {"model's fingerprint", "torch", "capability"} <= {fact.name for fact in facts}
    assert [fact.tell() for fact in facts] == [fact.value for fact in facts]
    copy = pickle.loads(pickle.dumps(minilm))  # noqa: S301  our own
    assert copy is not minilm
    here, there = encode(minilm, SHORT), encode(copy, SHORT)
    assert {text: row.tobytes() for text, row in there.items()} == {text: row.tobytes() for text, row in here.items()}


@pytest.mark.model
def test_minilm_bits_do_not_hang_on_order_company_or_threads(minilm: Encoder) -> None:
    import torch  # loads slowly, and only for the tests that run the model

    texts = [*SHORT, *LONG]
    random = np.random.default_rng(0)
    before = encode(minilm, texts)
    threads = torch.get_num_threads()
    try:
        for number in (1, 2, 3):
            torch.set_num_threads(number)
            assert same_bits(before, encode(minilm, [texts[at] for at in random.permutation(len(texts))]))
        for text in (SHORT[0], LONG[0], LONG[-1]):
            assert same_bits(before, encode(minilm, [text]))
    finally:
        torch.set_num_threads(threads)


@pytest.mark.model
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside sentence_transformers' imports, not ours
def test_minilm_gives_what_sentence_transformers_gives(minilm: Encoder) -> None:
    from sentence_transformers import SentenceTransformer  # loads slowly, and only for this test

    from entropyguard.core.embed.transformer import TransformerEncoder  # loads torch

    folder = resolve_model("all-MiniLM-L6-v2", allow_download=False)
    texts = [*SHORT, *LONG]
    ours = np.stack(list(map(encode(minilm, texts).__getitem__, texts)))
    library = encode(TransformerEncoder(folder, own_forward=False), texts)
    assert np.abs(ours - np.stack([library[text] for text in texts])).max() < 1e-6
    theirs = SentenceTransformer(str(folder), device="cpu", local_files_only=True).encode(texts)
    assert np.abs(ours - theirs).max() < 1e-6


@pytest.mark.model
@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("config.json", {"hidden_act": "relu"}),
        ("config.json", {"model_type": "roberta"}),
        ("sentence_bert_config.json", {"do_lower_case": True}),
        ("config_sentence_transformers.json", {"default_prompt_name": "query"}),
        ("tokenizer_config.json", {"do_lower_case": False}),
        ("1_Pooling/config.json", {"pooling_mode_cls_token": True}),
    ],
)
def test_what_our_forward_pass_does_not_cover_goes_to_the_library(tmp_path: Path, file: str, change: object) -> None:
    from entropyguard.core.embed.bert import plain_bert  # loads torch

    packaged, folder = resolve_model("all-MiniLM-L6-v2", allow_download=False), tmp_path
    for path in packaged.rglob("*"):
        copy = folder / path.relative_to(packaged)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            copy.symlink_to(path)
    assert plain_bert(folder) == ("mean", 256)
    config = {**json.loads((folder / file).read_text()), **change}  # type: ignore[dict-item]
    (folder / file).unlink()
    (folder / file).write_text(json.dumps(config))
    assert plain_bert(folder) is None
