"""Screening: what is left out has no near row, a sample decides, and the result hangs on the texts alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entropyguard.core import calibration, candidates, ivf, parquet, screening, screening_cost, static_rows
from entropyguard.core.calibration import BINS, LEAST, Counted, choose, count_pairs, sampled
from entropyguard.core.distil import SCALE, as_whole, rounded_unit, static_vectors, token_vectors
from entropyguard.core.embed import EmbedCounts, embed_texts
from entropyguard.core.encoder import Encoder, load_encoder
from entropyguard.core.errors import UsageError
from entropyguard.core.ivf_training import train, trained_rows
from entropyguard.core.params import Params, SearchParams
from entropyguard.core.parquet import read_about, read_tables
from entropyguard.core.parts import PartStore
from entropyguard.core.progress import silent
from entropyguard.core.screening import Screener, Screening
from entropyguard.core.search_parts import Parts
from entropyguard.core.static_neighbours import rows_with_neighbours
from entropyguard.core.tokens import Tokens
from entropyguard.core.vector_store import VectorStore
from entropyguard.core.vectors import Bools, Floats
from entropyguard.core.whitening import spread_out
from entropyguard.printing import screening_line
from tests.made_vectors import by_lists, clustered, exhaustive
from tests.static_model import WORDS, write_static_model
from tests.test_embed import Counting, write_input

BIG = 1 << 30


class Contextual(Counting):
    """A transformer as far as screening sees: it shows its vocabulary, token by token."""

    def single_tokens(self) -> Tokens:
        known = self.tokenise(WORDS.split(), 1)
        ids = np.arange(1 + known.ids.max(), dtype=np.int32)
        ones = np.ones(len(ids), dtype=np.int64)
        return Tokens(ids, np.cumsum(ones), ones, [None] * len(ids))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return load_encoder(write_static_model(tmp_path_factory.mktemp("model"), window=20))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Screening for a few hundred rows, as if they were many."""
    monkeypatch.setattr(calibration, "SAMPLE_ROWS", 150)
    monkeypatch.setattr(screening, "_FEWEST_SIMILAR", 20)
    monkeypatch.setattr(screening_cost, "worth_a_sample", lambda *_: True)


def rows_of(count: int, similar: float, seed: int = 0) -> list[str]:
    """Texts of nine words; a share of them repeats another one but for one of its words."""
    random, words = np.random.default_rng(seed), WORDS.split()
    texts = [" ".join(random.choice(words, 9)) for _ in range(count)]
    for at in random.permutation(count - 1)[: int(similar * count)] + 1:
        own = texts[random.integers(0, at)].split()
        own[random.integers(0, 9)] = str(random.choice(words))
        texts[at] = " ".join(own)
    return texts


def screen(
    folder: Path, texts: Sequence[str], encoder: Encoder, search: SearchParams | None = None, threads: int | None = None
) -> Screening:
    folder.mkdir(exist_ok=True)
    source = write_input(folder / "in.parquet", texts)
    stores = PartStore(folder / "vectors"), PartStore(folder / "static")
    return Screener(encoder, 3, search or exhaustive(0.8), *stores, folder, threads, silent).screen(source)


def flags(found: Screening) -> list[bool]:
    """Whether each row is left out."""
    assert found.left_out is not None
    return [bool(flag) for flag in found.left_out]


@pytest.mark.usefixtures("small")
def test_rows_without_a_near_row_are_not_embedded(
    tmp_path: Path, model: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screening_cost, "share_of_all", lambda _, share, *__, **___: share)
    texts, encoder = rows_of(600, similar=0.3), Contextual(model)
    found = screen(tmp_path, texts, encoder)
    assert found.left_out is not None
    assert found.about["applied"]
    assert found.about["rows_left_out"] == found.left_out.sum() > 100
    counts = embed_texts(
        tmp_path / "in.parquet", tmp_path / "out", encoder, 3, PartStore(tmp_path / "vectors"), silent, found
    )
    assert counts.screened == found.left_out.sum()
    assert counts.rows == counts.embedded + counts.reused + counts.screened
    skipped = [reason for table in read_tables(tmp_path / "out") for reason in table["skipped"].to_pylist()]
    assert [reason == "screened" for reason in skipped] == found.left_out.tolist()
    assert read_about(tmp_path / "out")["screening"] == found.about


@pytest.mark.usefixtures("small")
def test_nearly_all_similar_pairs_stay(tmp_path: Path, model: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screening_cost, "share_of_all", lambda _, share, *__, **___: share)
    texts = rows_of(600, similar=0.3)
    found = screen(tmp_path, texts, Contextual(model))
    assert found.left_out is not None
    tokens = model.tokenise(texts, 1)
    vectors = np.concatenate([piece for _, piece in model.encode(tokens, np.arange(len(texts)))])
    one, other = np.nonzero(np.triu(vectors @ vectors.T >= 0.8, 1))
    lost = (found.left_out[one] | found.left_out[other]).mean()
    assert len(one) > 100
    assert lost <= 0.02


@pytest.mark.usefixtures("small")
def test_stores_and_threads_change_nothing(tmp_path: Path, model: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screening_cost, "share_of_all", lambda _, share, *__, **___: share)
    texts, encoder = rows_of(600, similar=0.3), Contextual(model)
    first = screen(tmp_path, texts, encoder)
    embedded = encoder.embedded
    again = screen(tmp_path, texts, encoder, threads=1)
    assert encoder.embedded == embedded
    (tmp_path / "other").mkdir()
    fresh = screen(tmp_path / "other", texts, Contextual(model))
    for found in (again, fresh):
        assert found.about == first.about
        assert flags(found) == flags(first)


class Adding:
    """Counts the rows whose static vectors are made; breaks down when there would be more than `most` of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, most: int = BIG) -> None:
        self.rows, self.most = 0, most
        monkeypatch.setattr(static_rows, "static_vectors", self)

    def __call__(self, table: Floats, tokens: Tokens, windows: npt.NDArray[np.int64]) -> Floats:
        if self.rows + len(windows) > self.most:
            raise KeyboardInterrupt
        self.rows += len(windows)
        return static_vectors(table, tokens, windows)


@pytest.mark.usefixtures("small")
def test_a_killed_reading_goes_on_where_it_stopped_and_an_append_reads_the_end_alone(
    tmp_path: Path, model: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", 100)
    monkeypatch.setattr(screening_cost, "share_of_all", lambda _, share, *__, **___: share)
    texts, folder = rows_of(650, similar=0.3), tmp_path / "killed"
    undisturbed = screen(tmp_path / "undisturbed", texts, Contextual(model))
    Adding(monkeypatch, most=350)
    with pytest.raises(KeyboardInterrupt):
        screen(folder, texts, Contextual(model))
    rest = Adding(monkeypatch)
    found = screen(folder, texts, Contextual(model))
    assert rest.rows == 350
    assert flags(found) == flags(undisturbed)
    assert found.about == undisturbed.about
    appended = Adding(monkeypatch)
    screen(folder, [*texts, *rows_of(80, similar=0, seed=1)], Contextual(model))
    assert appended.rows == 50 + 80  # the last row group grows, and is followed by another


@pytest.mark.usefixtures("small")
def test_where_all_rows_are_alike_it_switches_itself_off(tmp_path: Path, model: Encoder) -> None:
    found = screen(tmp_path, rows_of(600, similar=1.0), Contextual(model))
    assert found.left_out is None
    assert found.about["reason"] == "it would save too little"
    assert found.about["estimated_cost"] > screening_cost.WORTH


@pytest.mark.usefixtures("small")
def test_without_similar_pairs_nothing_is_known_and_all_rows_are_embedded(tmp_path: Path, model: Encoder) -> None:
    found = screen(tmp_path, rows_of(300, similar=0.0), Contextual(model))
    assert (found.left_out, found.about["reason"]) == (None, "the sample has too few similar pairs to tell")


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "texts", [["你好"] * 50, ["你好"] * 50 + ["a cat"], ["the cat sat"] * 60], ids=["none", "one", "alike"]
)
def test_where_hardly_a_text_can_be_compared_all_are_embedded(tmp_path: Path, model: Encoder, texts: list[str]) -> None:
    found = screen(tmp_path, texts, Contextual(model))
    assert (found.left_out, found.about["applied"]) == (None, False)


@pytest.mark.usefixtures("small")
def test_who_asks_for_every_pair_gets_every_row_embedded(tmp_path: Path, model: Encoder) -> None:
    every = SearchParams(floor=0.8, target_recall=1.0, exact_below_rows=10)
    found = screen(tmp_path, rows_of(300, similar=0.3), Contextual(model), every)
    assert (found.left_out, found.about["reason"]) == (None, "every similar pair is asked for")


@pytest.mark.parametrize(("recall", "told"), [(0.99137, "estimated recall 0.9914"), (None, "recall unknown")])
def test_the_summary_tells_what_was_left_out(recall: float | None, told: str) -> None:
    line = screening_line({"rows_left_out": 1234, "estimated_recall": recall})
    assert line == f"1,234 rows were not embedded: no other row is near them by static vectors ({told})"


def test_few_texts_are_all_embedded_at_once(tmp_path: Path, model: Encoder) -> None:
    encoder = Contextual(model)
    found = screen(tmp_path, rows_of(300, similar=0.3), encoder)
    assert (found.left_out, encoder.embedded) == (None, 0)
    assert found.about["reason"] == "there are too few texts to save much"


def test_a_static_model_is_not_screened_by_another(tmp_path: Path, model: Encoder) -> None:
    assert screen(tmp_path, rows_of(300, similar=0.3), model).about["reason"] == "the model is static itself"


def test_what_is_left_out_says_so_and_needs_no_store(tmp_path: Path, model: Encoder) -> None:
    source = write_input(tmp_path / "in.parquet", ["a cat", "你好", "the dog"])
    left_out = Screening(np.array([True, False, False]), {"applied": True})
    store = PartStore(tmp_path / "store")
    embed_texts(source, tmp_path / "all", model, 1, store, silent)
    counts = embed_texts(source, tmp_path / "out", model, 1, store, silent, left_out)
    assert counts == EmbedCounts(rows=3, embedded=0, reused=1, unreadable=1, over_long=0, screened=1)
    (table,) = read_tables(tmp_path / "out")
    assert table["skipped"].to_pylist() == ["screened", "unreadable", None]
    assert table["vector"].null_count == 2


def on_one_side(vectors: Floats) -> Bools:
    """For each pair of rows, whether the list of the earlier one is on the near side of the later one."""
    quantiser = train(vectors[: trained_rows(len(vectors))])
    later_first = np.tril(quantiser.scores(vectors)[:, quantiser.lists(vectors)] > 0, -1)
    return later_first | later_first.T


@settings(max_examples=30, deadline=None)
@given(
    rows=st.integers(2, 150),
    seed=st.integers(0, 1000),
    least=st.sampled_from([0.6, 0.9, 0.99]),
    lists=st.booleans(),
)
def test_neighbours_are_those_of_the_whole_matrix(
    tmp_path_factory: pytest.TempPathFactory, rows: int, seed: int, least: float, lists: bool
) -> None:
    folder = tmp_path_factory.mktemp("run")
    vectors = rounded_unit(clustered(rows, seed, dimensions=12))
    whole = as_whole(vectors).astype(np.int64)
    near = whole @ whole.T >= np.ceil(least * SCALE**2)
    np.fill_diagonal(near, val=False)
    if lists:  # rows as far apart as 0.6 can lie on two sides of a centroid
        near &= on_one_side(vectors)
    search = by_lists(target_recall=0.999_999) if lists else exhaustive()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "BLOCK_ROWS", 40)
        patch.setattr(candidates, "TILE_COLUMNS", 16)
        patch.setattr(ivf, "BLOCK_ROWS", 60)
        for _ in range(2):  # the second time from the parts
            parts = Parts(PartStore(folder / "static"))
            found, _ = rows_with_neighbours(vectors, least, search, parts, BIG, folder, None, silent)
            assert np.array_equal(found, near.any(axis=1))


def test_an_append_looks_only_at_the_new_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "BLOCK_ROWS", 40)
    vectors, parts = rounded_unit(clustered(100, dimensions=12)), Parts(PartStore(tmp_path / "static"))
    rows_with_neighbours(vectors[:80], 0.9, exhaustive(), parts, BIG, tmp_path, None, silent)
    before = set(parts.used)
    rows_with_neighbours(vectors, 0.9, exhaustive(), parts, BIG, tmp_path, None, silent)
    assert len(parts.used - before) == 1


def test_tokens_are_distilled_once(tmp_path: Path, model: Encoder) -> None:
    encoder = Contextual(model)
    tokens = encoder.single_tokens()
    for _ in range(2):
        store = VectorStore(PartStore(tmp_path), encoder.fingerprint, encoder.dimension)
        table = token_vectors(encoder, tokens, store, silent)
    assert encoder.embedded == len(tokens.counts)
    assert table.shape == (len(tokens.counts), model.dimension)


def test_a_static_vector_hangs_on_its_own_text_alone(tmp_path: Path, model: Encoder) -> None:
    encoder = Contextual(model)
    store = VectorStore(PartStore(tmp_path), encoder.fingerprint, encoder.dimension)
    table = token_vectors(encoder, encoder.single_tokens(), store, silent)
    texts = rows_of(50, similar=0.3)
    together = static_vectors(table, model.tokenise(texts, 1), np.arange(50))
    alone = [static_vectors(table, model.tokenise([text], 1), np.arange(1))[0] for text in texts]
    assert together.tobytes() == np.stack(alone).tobytes()
    assert np.abs(np.linalg.norm(together, axis=1) - 1).max() < 0.01


def test_spreading_out_takes_back_what_all_have_in_common() -> None:
    common = np.ones((1, 16))
    vectors = rounded_unit(common * 3 + np.random.default_rng(0).standard_normal((200, 16)))
    before = (vectors @ vectors.T).mean()
    spread_out(vectors, np.arange(100))
    assert before > 0.8
    assert abs((vectors @ vectors.T).mean()) < 0.05
    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < 0.01


def test_pairs_of_the_sample_are_counted_by_their_static_cosine() -> None:
    vectors = rounded_unit(clustered(300, dimensions=12))
    keys = np.random.default_rng(0).integers(0, 1 << 63, 300).astype(np.uint64)
    sample = sampled(keys, 40)
    backwards = sampled(keys[::-1].copy(), 40)
    assert sorted(keys[sample]) == sorted(keys[::-1][backwards])  # the same texts in another order
    counted = count_pairs(vectors, keys, sample)
    cosines = (as_whole(vectors[sample]) @ as_whole(vectors).T / SCALE**2).astype(np.float64)
    cosines[np.arange(40), sample] = -1
    assert np.allclose(counted.nearest, cosines.max(axis=1))
    bins = ((cosines[cosines >= LEAST] - LEAST) / ((1 - LEAST) / BINS)).astype(int)
    assert counted.counts.tolist() == np.bincount(np.minimum(bins, BINS - 1), minlength=BINS).tolist()
    drawn = np.bincount(counted.bins, minlength=BINS)
    assert drawn.tolist() == np.minimum(counted.counts, 128).tolist()


def test_the_threshold_leaves_out_no_more_pairs_than_allowed() -> None:
    middles = LEAST + (np.arange(BINS) + 0.5) * (1 - LEAST) / BINS
    counts = np.rint(40_000 * np.exp(-15 * (middles - LEAST))).astype(np.int64)
    share = 1 / (1 + np.exp(-40 * (middles - 0.85)))
    bins = np.repeat(np.arange(BINS), np.minimum(counts, 128))
    similar = np.random.default_rng(0).random(len(bins)) < share[bins]
    nothing = np.empty(0, dtype=np.int64)
    threshold = choose(Counted(counts, nothing.astype(np.float64), bins, nothing, nothing), similar, 0.99)
    true = counts * share
    recall = true[middles >= threshold.cosine].sum() / true.sum()
    assert recall >= 0.98
    assert 0.7 <= threshold.cosine <= 0.8
    assert threshold.recall >= 0.99


def test_the_estimate_of_cost_grows_with_what_is_embedded() -> None:
    tokens = np.full(100_000, 20)
    costs = [screening_cost.share_of_all(tokens, share, 30_000, 3_000, exhaustive=False) for share in (0.1, 0.5, 1.0)]
    assert costs == sorted(costs)
    assert costs[0] < screening_cost.WORTH < costs[2]
    assert not screening_cost.worth_a_sample(screening_cost.rough_tokens(1_000_000, 10_000), 10_000, 30_000)
    assert screening_cost.worth_a_sample(screening_cost.rough_tokens(10_000_000, 100_000), 100_000, 30_000)


def test_the_setting_is_checked(tmp_path: Path) -> None:
    packaged = Path(__file__).parent.parent / "params.yaml"
    text = packaged.read_text(encoding="utf-8").replace("screening: auto", "screening: sometimes")
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"semantic\.screening is 'sometimes'.*auto or off"):
        Params.load(tmp_path / "params.yaml")
