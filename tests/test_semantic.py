"""semantic_dedup: the greedy rule, against an oracle of nested loops."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entropyguard.core.errors import ProcessingError
from entropyguard.core.params import KeepParams
from entropyguard.core.parquet import TableWriter, read_about, read_tables
from entropyguard.core.progress import silent
from entropyguard.core.semantic import SemanticCounts, drop_semantic_duplicates
from entropyguard.core.similar import PAIRS

Pairs = dict[tuple[int, int], float]
Dropped = dict[int, tuple[int, float]]

ABOUT = {"format": "jsonl", "text_column": "text"}
TOLD = {"rows": 9, "unreadable": 1, "over_long": 2, "search": {"floor": 0.9, "method": "exact"}}
SCHEMA = pa.schema([("row_id", pa.int64()), ("file", pa.int32()), ("line", pa.int64()), ("record", pa.large_string())])
BIG = 1 << 30


def write_rows(path: Path, row_ids: list[int], scores: list[int]) -> Path:
    lines = [json.dumps({"text": "t", "score": score}) for score in scores]
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
) -> tuple[list[int], Dropped, SemanticCounts]:
    """Kept row ids, dropped row id -> (keeper, similarity), counts."""
    counts = drop_semantic_duplicates(
        write_rows(folder / "rows.parquet", row_ids, scores or [0] * len(row_ids)),
        write_pairs(folder / "pairs.parquet", pairs),
        folder / "out.parquet",
        folder / "dropped.parquet",
        threshold,
        KeepParams(policy="column:score" if scores else "first"),
        max_memory,
        silent,
    )
    kept = [row for table in read_tables(folder / "out.parquet") for row in table["row_id"].to_pylist()]
    lost = [row for table in read_tables(folder / "dropped.parquet") for row in table.to_pylist()]
    assert [row["row_id"] for row in lost] == sorted(row["row_id"] for row in lost)
    assert {row["reason"] for row in lost} <= {"semantic"}
    return kept, {row["row_id"]: (row["keeper_row_id"], row["similarity"]) for row in lost}, counts


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


@settings(max_examples=60, deadline=None)
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
    before = [row for table in read_tables(tmp_path / "rows.parquet") for row in table.to_pylist()]
    after = [row for table in read_tables(tmp_path / "out.parquet") for row in table.to_pylist()]
    assert after == [before[0], before[2]]
    assert read_about(tmp_path / "out.parquet") == ABOUT
    assert read_about(tmp_path / "dropped.parquet") == TOLD


def test_a_threshold_below_the_floor_says_which_parameter_to_set(tmp_path: Path) -> None:
    with pytest.raises(ProcessingError, match=r"Set search\.floor in params\.yaml to at most 0\.85"):
        dedup(tmp_path, [0, 1], {(0, 1): 0.95}, threshold=0.85)


def test_pairs_of_other_rows_are_refused(tmp_path: Path) -> None:
    for pair in ((0, 3), (0, 9), (3, 5)):
        with pytest.raises(ProcessingError, match=r"names rows that are not in after_exact_dedup\.parquet"):
            dedup(tmp_path, [0, 5], {pair: 0.99})


def test_no_rows_and_no_pairs_are_no_trouble(tmp_path: Path) -> None:
    assert dedup(tmp_path, [], {}) == ([], {}, SemanticCounts(0, 0, 0))
    assert dedup(tmp_path, [1, 2], {}, scores=[1, 2]) == ([1, 2], {}, SemanticCounts(2, 2, 0))
