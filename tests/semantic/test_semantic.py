"""semantic_dedup: the greedy rule, against an oracle of nested loops."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entropyguard.core.decisions.greedy import KEPT, MOST_COMPARED
from entropyguard.core.errors import ProcessingError
from entropyguard.core.pairs.similar_pairs import PAIRS
from entropyguard.core.params import KeepParams, SemanticParams
from entropyguard.core.pool.pool import InlinePool, Pool
from entropyguard.core.progress import silent
from entropyguard.core.semantic.components import _join, _roots, decide_components
from entropyguard.core.semantic.guard import KINDS
from entropyguard.core.semantic.semantic import SemanticCounts, decide_each, drop_semantic_duplicates
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parquet import TableWriter
from tests.made_pools import SendingPool

Pairs = dict[tuple[int, int], float]
Dropped = dict[int, tuple[int, float]]

ABOUT = {"format": "jsonl", "text_column": "text"}
TOLD = {"rows": 9, "unreadable": 1, "over_long": 2, "search": {"floor": 0.9, "method": "exact"}}
SCHEMA = pa.schema([("row_id", pa.int64()), ("file", pa.int32()), ("line", pa.int64()), ("record", pa.large_string())])
BIG = 1 << 30


def write_rows(path: Path, row_ids: list[int], scores: list[int], texts: list[str] | None = None) -> Path:
    texts = texts or [chr(ord("a") + at) for at in range(len(row_ids))]
    lines = [json.dumps({"text": text, "score": score}) for text, score in zip(texts, scores, strict=True)]
    with TableWriter(path, SCHEMA, ABOUT) as writer:
        writer.write(pa.table([row_ids, [0] * len(row_ids), row_ids, lines], schema=SCHEMA))
    return path


def write_pairs(path: Path, pairs: Pairs) -> Path:
    """Pairs by (a, b), written in the order of (b, a), two in a row group."""
    ordered = sorted(pairs, key=lambda pair: (pair[1], pair[0]))
    with TableWriter(path, PAIRS, TOLD) as writer:
        for start in range(0, len(ordered), 2):
            some = ordered[start : start + 2]
            columns = [[a for a, _ in some], [b for _, b in some], [pairs[pair] for pair in some]]
            writer.write(pa.table(columns, schema=PAIRS))
            writer._flush()
    return path


def dedup(
    folder: Path,
    row_ids: list[int],
    pairs: Pairs,
    threshold: float = 0.95,
    scores: list[int] | None = None,
    max_memory: int = BIG,
    texts: list[str] | None = None,
    cluster: str = "stars",
    protect: tuple[str, ...] = (),
    enabled: bool = True,
    pool: Pool | None = None,
    unit_pairs: int = 1 << 17,
) -> tuple[list[int], Dropped, SemanticCounts]:
    """Kept row ids, dropped row id -> (keeper, similarity), counts."""
    counts = drop_semantic_duplicates(
        Checkpoint(write_rows(folder / "rows.parquet", row_ids, scores or [0] * len(row_ids), texts)),
        Checkpoint(write_pairs(folder / "pairs.parquet", pairs)),
        folder / "out.parquet",
        folder / "dropped.parquet",
        SemanticParams(enabled, threshold, cluster, protect),
        KeepParams("column:score" if scores else "first", "", ()),
        max_memory,
        silent,
        pool or InlinePool(),
        unit_pairs,
    )
    kept = [row for table in Checkpoint(folder / "out.parquet").tables() for row in table["row_id"].to_pylist()]
    lost = [row for table in Checkpoint(folder / "dropped.parquet").tables() for row in table.to_pylist()]
    assert [row["row_id"] for row in lost] == sorted(row["row_id"] for row in lost)
    assert {row["reason"] for row in lost} <= {"semantic"}
    return kept, {row["row_id"]: (row["keeper_row_id"], row["similarity"]) for row in lost}, counts


@pytest.mark.parametrize("cluster", ["stars", "components"])
def test_without_semantic_dedup_every_row_stays_whatever_pairs_are_stored(tmp_path: Path, cluster: str) -> None:
    kept, dropped, counts = dedup(tmp_path, [3, 5, 9], {(3, 5): 1.0}, 0.2, cluster=cluster, enabled=False)
    assert (kept, dropped, counts) == ([3, 5, 9], {}, SemanticCounts(3, 3, 0))


def oracle(row_ids: list[int], pairs: Pairs, threshold: float, scores: list[int]) -> tuple[list[int], Dropped]:
    kept: list[int] = []
    dropped: Dropped = {}
    score_of = dict(zip(row_ids, scores, strict=True))
    for row in sorted(row_ids, key=lambda row: (-score_of[row], row)):
        near = [(pairs.get((min(row, other), max(row, other)), 0.0), -other) for other in kept]
        similarity, minus_keeper = max(near, default=(0.0, 0))
        if similarity >= threshold:
            dropped[row] = (-minus_keeper, similarity)
        else:
            kept.append(row)
    return sorted(kept), dropped


@st.composite
def problems(draw: st.DrawFn) -> tuple[list[int], Pairs, list[int]]:
    row_ids = sorted(draw(st.sets(st.integers(0, 60), max_size=14)))
    every = [(a, b) for at, b in enumerate(row_ids) for a in row_ids[:at]]
    chosen = draw(st.lists(st.sampled_from(every), unique=True)) if every else []
    similarity = st.sampled_from([0.9, 0.949999, 0.95, 0.96, 0.97, 1.0])
    pairs = {pair: draw(similarity) for pair in chosen}
    return row_ids, pairs, [draw(st.integers(0, 4)) for _ in row_ids]


@settings(max_examples=60)
@given(problem=problems(), threshold=st.sampled_from([0.9, 0.95, 0.97, 1.0]), memory=st.sampled_from([1, 1_000, BIG]))
def test_the_greedy_rule_is_that_of_nested_loops(
    tmp_path_factory: pytest.TempPathFactory,
    problem: tuple[list[int], Pairs, list[int]],
    threshold: float,
    memory: int,
) -> None:
    row_ids, pairs, scores = problem
    folder = tmp_path_factory.mktemp("semantic")
    for given_scores in (None, scores):
        kept, dropped, counts = dedup(folder, row_ids, pairs, threshold, given_scores, memory)
        assert (kept, dropped) == oracle(row_ids, pairs, threshold, given_scores or [0] * len(row_ids))
        assert all(keeper in kept and similarity >= threshold for keeper, similarity in dropped.values())
        assert counts == SemanticCounts(len(row_ids), len(kept), len(dropped))


def test_a_chain_drops_only_what_is_near_a_kept_row(tmp_path: Path) -> None:
    pairs = {(0, 1): 0.96, (1, 2): 0.97, (2, 3): 0.98}  # 0 and 2 are far apart
    kept, dropped, _ = dedup(tmp_path, [0, 1, 2, 3], pairs)
    assert kept == [0, 2]
    assert dropped == {1: (0, 0.96), 3: (2, 0.98)}


def test_a_chain_from_its_middle_is_dropped_at_both_ends(tmp_path: Path) -> None:
    kept, dropped, _ = dedup(tmp_path, [0, 1, 2], {(0, 1): 0.96, (1, 2): 0.97}, scores=[1, 5, 1])
    assert kept == [1]
    assert dropped == {0: (1, 0.96), 2: (1, 0.97)}


def test_the_keeper_is_the_most_similar_kept_row_and_of_equals_the_lowest(tmp_path: Path) -> None:
    pairs = {
        (0, 5): 0.95,
        (1, 5): 0.97,  # of two at 0.97 the lower
        (2, 5): 0.97,
        (3, 5): 0.99,  # but 3 itself is dropped
        (0, 3): 0.96,
    }
    assert dedup(tmp_path, [0, 1, 2, 3, 5], pairs)[1] == {3: (0, 0.96), 5: (1, 0.97)}
    first_is_last = {(0, 2): 0.97, (1, 2): 0.97}
    assert dedup(tmp_path, [0, 1, 2], first_is_last, scores=[1, 2, 0])[1] == {2: (0, 0.97)}


def test_rows_come_out_as_they_went_in_and_the_search_is_told_on(tmp_path: Path) -> None:
    dedup(tmp_path, [2, 4, 9], {(2, 4): 1.0}, scores=[7, 3, 5])
    before = [row for table in Checkpoint(tmp_path / "rows.parquet").tables() for row in table.to_pylist()]
    after = [row for table in Checkpoint(tmp_path / "out.parquet").tables() for row in table.to_pylist()]
    assert after == [before[0], before[2]]
    assert Checkpoint(tmp_path / "out.parquet").metadata == ABOUT
    nothing = dict.fromkeys(KINDS, 0)
    guard = {"protect": [], "apart": nothing, "examples": {kind: [] for kind in KINDS}, "dropped_otherwise": 1}
    assert Checkpoint(tmp_path / "dropped.parquet").metadata == {**TOLD, "guard": guard}


def test_a_threshold_below_the_floor_says_which_parameter_to_set(tmp_path: Path) -> None:
    with pytest.raises(ProcessingError, match=r"Set search\.floor in params\.yaml to at most 0\.85"):
        dedup(tmp_path, [0, 1], {(0, 1): 0.95}, threshold=0.85)


def test_no_rows_and_no_pairs_are_no_trouble(tmp_path: Path) -> None:
    assert dedup(tmp_path, [], {}) == ([], {}, SemanticCounts(0, 0, 0))
    assert dedup(tmp_path, [1, 2], {}, scores=[1, 2]) == ([1, 2], {}, SemanticCounts(2, 2, 0))


def components(row_ids: list[int], pairs: Pairs, threshold: float, scores: list[int]) -> dict[int, int]:
    """Dropped row id -> keeper, by relabelling until nothing changes."""
    label = {row: row for row in row_ids}
    near = [pair for pair, similarity in pairs.items() if similarity >= threshold]
    for _ in row_ids:
        for a, b in near:
            label[a] = label[b] = min(label[a], label[b])
    score_of = dict(zip(row_ids, scores, strict=True))
    first = {
        root: min((row for row in row_ids if label[row] == root), key=lambda row: (-score_of[row], row))
        for root in set(label.values())
    }
    return {row: first[label[row]] for row in row_ids if first[label[row]] != row}


@settings(max_examples=60)
@given(problem=problems(), threshold=st.sampled_from([0.9, 0.95, 1.0]))
def test_components_keep_one_row_of_each_group_of_linked_rows(
    tmp_path_factory: pytest.TempPathFactory, problem: tuple[list[int], Pairs, list[int]], threshold: float
) -> None:
    row_ids, pairs, scores = problem
    folder = tmp_path_factory.mktemp("components")
    for given_scores in (None, scores):
        kept, dropped, _ = dedup(folder, row_ids, pairs, threshold, given_scores, cluster="components")
        expected = components(row_ids, pairs, threshold, given_scores or [0] * len(row_ids))
        assert {row: keeper for row, (keeper, _) in dropped.items()} == expected
        assert sorted([*kept, *dropped]) == row_ids
        for row, (keeper, similarity) in dropped.items():
            assert similarity == pairs.get((min(row, keeper), max(row, keeper)))


def test_a_chain_is_one_component_and_a_keeper_it_is_no_pair_with_has_no_similarity(tmp_path: Path) -> None:
    pairs = {(0, 1): 0.96, (1, 2): 0.97}
    assert dedup(tmp_path, [0, 1, 2], pairs, cluster="components")[:2] == ([0], {1: (0, 0.96), 2: (0, None)})


def test_a_pair_below_the_threshold_joins_nothing_but_tells_how_similar_the_keeper_is(tmp_path: Path) -> None:
    pairs = {(0, 1): 0.96, (1, 2): 0.97, (0, 2): 0.93, (2, 3): 0.94}
    assert dedup(tmp_path, [0, 1, 2, 3], pairs, cluster="components")[:2] == ([0, 3], {1: (0, 0.96), 2: (0, 0.93)})


class CountedReads(npt.NDArray[np.int64]):
    """An array that counts how many of its entries were read by index."""

    reads = 0

    def __getitem__(self, key: Any) -> Any:
        self.reads += np.size(key)
        return np.asarray(super().__getitem__(key))


def test_a_component_that_is_one_long_chain_takes_few_steps() -> None:
    rows = 50_000
    earlier = np.arange(rows - 1)
    for order in (earlier, earlier[::-1], np.random.default_rng(0).permutation(earlier)):
        linked = [(order + 1, order, np.full(rows - 1, 0.96))]
        assert (decide_components(linked, [], np.arange(rows), None).keeper[1:] == 0).all()
        root = np.arange(rows).view(CountedReads)
        _join(root, order + 1, order)
        assert (_roots(root, np.arange(rows)) == 0).all()
        assert rows < root.reads < 100 * rows  # one step at a time it would be tens of thousands of times the rows


def test_decide_says_what_the_stage_drops_and_writes_nothing(tmp_path: Path) -> None:
    pairs = {(2, 4): 0.99, (4, 9): 0.96, (9, 11): 0.93}
    _, dropped, _ = dedup(tmp_path, [2, 4, 9, 11], pairs, scores=[0, 3, 1, 2])
    before = sorted(path.name for path in tmp_path.iterdir())
    semantic, keep = (
        SemanticParams(enabled=True, dedup_threshold=0.95, cluster="stars", protect=()),
        KeepParams("column:score", "", ()),
    )
    chosen = [(0.95, Checkpoint(tmp_path / "pairs.parquet"))]
    (at,) = decide_each(Checkpoint(tmp_path / "rows.parquet"), chosen, semantic, keep, BIG)
    found = at.decisions
    lost = np.flatnonzero(found.keeper != KEPT)
    assert dropped == {
        int(found.row_ids[row]): (int(found.row_ids[found.keeper[row]]), float(found.similarity[row])) for row in lost
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == before


KUBERNETES = [
    "Kubernetes 1.32 resource models",
    "Kubernetes 1.35 resource models",  # another number than 0's
    "kubernetes 1.35  Resource models, again",
    "On 2024-01-31 at 10:30",
    "on 2025-12-01 at 9:05",  # other numbers than 3's
]
NEAR_IN_NUMBERS = {(0, 1): 0.99, (1, 2): 0.97, (3, 4): 0.98}


def guard_of(folder: Path) -> dict[str, Any]:
    guard: dict[str, Any] = Checkpoint(folder / "dropped.parquet").metadata["guard"]
    return guard


@pytest.mark.parametrize("cluster", ["stars", "components"])
def test_rows_of_other_numbers_are_kept_when_numbers_are_protected(tmp_path: Path, cluster: str) -> None:
    rows = list(range(5))
    kept, dropped, _ = dedup(tmp_path, rows, NEAR_IN_NUMBERS, texts=KUBERNETES, cluster=cluster, protect=("numbers",))
    assert (kept, dropped) == ([0, 1, 3, 4], {2: (1, 0.97)})
    guard = guard_of(tmp_path)
    assert guard["apart"] == {"numbers": 2, "negation": 0, "names": 0, "frame": 0}
    assert guard["examples"]["numbers"] == [[1, 0], [4, 3]]
    assert guard["dropped_otherwise"] == (2 if cluster == "stars" else 3)  # by stars 2 has no row left to go for


def test_what_the_guard_would_do_is_told_where_it_is_off(tmp_path: Path) -> None:
    kept, _, _ = dedup(tmp_path, list(range(5)), NEAR_IN_NUMBERS, texts=KUBERNETES)
    assert kept == [0, 2, 3]
    guard = guard_of(tmp_path)
    assert (guard["protect"], guard["apart"]["numbers"], guard["dropped_otherwise"]) == ([], 2, 1)


def test_a_row_kept_apart_from_its_nearest_goes_for_another_only_if_the_guard_lets_it(tmp_path: Path) -> None:
    texts = ["model 1 of the press", "the press, its model 3", "model 2 of the press", "the press: model 2"]
    pairs = {(0, 2): 0.99, (1, 2): 0.96, (0, 3): 0.97, (1, 3): 0.98, (2, 3): 0.955}
    kept, dropped, _ = dedup(tmp_path, [0, 1, 2, 3], pairs, texts=texts, protect=("numbers",))
    assert (kept, dropped) == ([0, 1, 2], {3: (2, 0.955)})  # of two templates, but of one number


def test_of_very_many_rows_it_is_kept_apart_from_a_row_is_compared_with_the_nearest_alone(tmp_path: Path) -> None:
    most = MOST_COMPARED
    names = [f"N{chr(65 + at // 26)}{chr(97 + at % 26)}" for at in range(most + 1)]
    texts = [f"yesterday the visitors met {name} in the garden" for name in names] + ["yesterday the visitors met him"]
    pairs = {(at, most + 1): 0.999 - at / 1_000 for at in range(most + 1)}
    texts[-1] = texts[most].replace("garden", "garden again")  # one name with the last row alone, the least similar
    assert dedup(tmp_path, list(range(most + 2)), pairs, texts=texts, protect=("names",))[1] == {}
    pairs[most, most + 1] = 0.9995
    assert dedup(tmp_path, list(range(most + 2)), pairs, texts=texts, protect=("names",))[1] == {
        most + 1: (most, 0.9995)
    }


def other_numbers(one: str, other: str) -> bool:
    numbers, others = set(re.findall("[0-9]+", one)), set(re.findall("[0-9]+", other))
    return bool(numbers - others and others - numbers)


@settings(max_examples=60)
@given(problem=problems(), data=st.data(), cluster=st.sampled_from(["stars", "components"]))
def test_protecting_numbers_decides_as_if_those_pairs_were_not_there(
    tmp_path_factory: pytest.TempPathFactory,
    problem: tuple[list[int], Pairs, list[int]],
    data: st.DataObject,
    cluster: str,
) -> None:
    row_ids, pairs, scores = problem
    words = st.sampled_from(["a 1", "a 2", "a 35", "b 1", "b 2", "c", "a 1 2", "b 2 3 1"])
    texts = data.draw(st.lists(words, min_size=len(row_ids), max_size=len(row_ids)))
    text_of = dict(zip(row_ids, texts, strict=True))
    free = {(a, b): near for (a, b), near in pairs.items() if not other_numbers(text_of[a], text_of[b])}
    folder = tmp_path_factory.mktemp("numbers")
    found = dedup(folder, row_ids, pairs, 0.95, scores, 1, texts, cluster, protect=("numbers",))
    at_length = guard_of(folder)
    roomy = dedup(folder, row_ids, pairs, 0.95, scores, BIG, texts, cluster, protect=("numbers",))
    assert roomy[:2] == found[:2] and guard_of(folder) == at_length  # noqa: PT018
    expected = dedup(folder, row_ids, free, 0.95, scores, 1, texts, cluster)
    unprotected = dedup(folder, row_ids, pairs, 0.95, scores, 1, texts, cluster)
    assert found[0] == expected[0]
    assert {row: keeper for row, (keeper, _) in found[1].items()} == {
        row: keeper for row, (keeper, _) in expected[1].items()
    }
    assert at_length["dropped_otherwise"] == len(unprotected[1])


def test_rows_that_differ_in_their_case_only_are_not_protected(tmp_path: Path) -> None:
    texts = ["Version 2", "version 2"]  # exact_dedup may have been told to tell these apart
    assert dedup(tmp_path, [0, 1], {(0, 1): 0.99}, texts=texts, protect=KINDS)[0] == [0]


FACTS = ["order 12 shipped", "order 13 shipped", "order 12 not shipped", "order 14 5 shipped", "the order shipped"]
"""Texts of which the guard keeps some pairs apart, by numbers, equally many or not, and by a negation."""


@settings(max_examples=60, deadline=None)
@given(problem=problems(), data=st.data(), unit_pairs=st.sampled_from([1, 3, 7]), scored=st.booleans())
def test_components_decided_one_by_one_give_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory,
    problem: tuple[list[int], Pairs, list[int]],
    data: st.DataObject,
    unit_pairs: int,
    scored: bool,
) -> None:
    row_ids, pairs, scores = problem
    texts = data.draw(st.lists(st.sampled_from(FACTS), min_size=len(row_ids), max_size=len(row_ids)))
    folders = [tmp_path_factory.mktemp(name) for name in ("together", "apart")]
    for folder, (pool, most) in zip(folders, ((None, 1 << 17), (SendingPool(), unit_pairs)), strict=True):
        dedup(
            *(folder, row_ids, pairs, 0.9, scores if scored else None),
            texts=texts,
            protect=("numbers", "negation"),
            pool=pool,
            unit_pairs=most,
        )
    for name in ("out.parquet", "dropped.parquet"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
