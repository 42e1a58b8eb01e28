"""The keep policy as ranks: highest first, missing last, ties to the lowest row id."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entropyguard.core.errors import DataFormatError
from entropyguard.core.params import KeepParams
from entropyguard.core.rows.priority import row_priority
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parquet import TableWriter


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    """A checkpoint of JSONL rows, in row groups of two rows, with gaps in the row ids."""
    schema = pa.schema(
        [("row_id", pa.int64()), ("file", pa.int32()), ("line", pa.int64()), ("record", pa.large_string())]
    )
    about = {"format": "jsonl", "text_column": "text"}
    with TableWriter(path, schema, about) as writer:
        for start in range(0, len(rows), 2):
            some = rows[start : start + 2]
            ids = [10 * (start + at) for at in range(len(some))]
            lines = [json.dumps({"text": "x", **row}) for row in some]
            writer.write(pa.table([ids, [0] * len(some), ids, lines], schema=schema))
            writer._flush()
    return path


def ranks(
    folder: Path,
    rows: list[dict[str, Any]],
    policy: str = "first",
    source_column: str = "",
    priority: Sequence[str] = (),
) -> list[int]:
    found: list[int] = row_priority(
        Checkpoint(write_rows(folder / "rows.parquet", rows)), KeepParams(policy, source_column, tuple(priority))
    ).tolist()
    return found


def test_first_is_input_order(tmp_path: Path) -> None:
    assert ranks(tmp_path, [{"text": "b"}, {"text": "aaa"}, {"text": "a"}], "first") == [0, 1, 2]


def test_longest_counts_characters_and_ties_go_to_the_lowest_row(tmp_path: Path) -> None:
    rows = [{"text": "ab"}, {"text": "猫猫猫"}, {"text": "éé"}, {"text": "abcd"}]
    assert ranks(tmp_path, rows, "longest") == [2, 1, 3, 0]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([9, 10, -1], [1, 0, 2]),
        ([2**62, 2**62 + 1, 0], [1, 0, 2]),  # equal as floats
        ([1, 2.5, 2], [2, 0, 1]),
        ([1.0, 3, 2.0], [2, 0, 1]),
        (["9", "10", "8"], [1, 0, 2]),  # as a CSV file holds numbers
        (["9", "10", "x"], [1, 2, 0]),
        (["a", "é", "Z"], [1, 0, 2]),
        ([None, 1, None, 5, 1], [3, 1, 4, 0, 2]),
        ([None, "b", None, "c"], [2, 1, 3, 0]),
        ([True, False, True], [0, 2, 1]),
        ([-(2**63), 0, 5], [2, 1, 0]),
        ([float("nan"), 1.5, None, 2.5], [2, 1, 3, 0]),
        (["\U0001f600", "\uffee"], [0, 1]),  # code points, not UTF-16 units
        ([1, 2, "b", "a"], [3, 2, 0, 1]),  # numbers in one row group, texts in the next
        ([None, None], [0, 1]),
    ],
)
def test_a_column_ranks_highest_first_and_missing_last(tmp_path: Path, values: list[Any], expected: list[int]) -> None:
    assert ranks(tmp_path, [{"score": value} for value in values], "column:score") == expected


def test_a_row_without_the_column_comes_last(tmp_path: Path) -> None:
    assert ranks(tmp_path, [{}, {"score": -5}, {}, {"score": 3}], "column:score") == [2, 1, 3, 0]


def test_a_column_that_no_row_has_is_an_error_naming_the_columns(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match=r"No row has the column 'scroe'.*text, score"):
        ranks(tmp_path, [{"score": 1}, {"score": 2}], "column:scroe")


def test_a_parquet_column_that_is_not_there_is_an_error_naming_the_columns(tmp_path: Path) -> None:
    record = pa.array([{"text": "a", "stars": 1}])
    table = pa.table({"row_id": [0], "file": pa.array([0], pa.int32()), "line": [1], "record": record})
    with TableWriter(tmp_path / "p.parquet", table.schema, {"format": "parquet", "text_column": "text"}) as writer:
        writer.write(table)
    assert row_priority(Checkpoint(tmp_path / "p.parquet"), KeepParams("column:stars", "", ())).tolist() == [0]
    with pytest.raises(DataFormatError, match="text, stars"):
        row_priority(Checkpoint(tmp_path / "p.parquet"), KeepParams("column:score", "", ()))


def test_a_column_of_lists_has_no_order(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match="Column 'tags' holds list: there is no order among them"):
        ranks(tmp_path, [{"tags": [1]}, {"tags": [2]}], "column:tags")


def test_no_rows_have_no_ranks(tmp_path: Path) -> None:
    for policy in ("first", "longest", "column:score"):
        assert ranks(tmp_path, [], policy) == []


scalars = st.one_of(
    st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), max_size=12),
    st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False, width=32), max_size=12),
    st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=3).map("t".__add__), max_size=12),
)


@given(values=scalars)
def test_ranks_are_those_of_a_stable_sort(tmp_path_factory: pytest.TempPathFactory, values: list[Any]) -> None:
    there = [at for at, value in enumerate(values) if value is not None]
    order = sorted(there, key=lambda at: (sum(values[other] > values[at] for other in there), at))
    order += [at for at, value in enumerate(values) if value is None]
    expected = [order.index(at) for at in range(len(values))]
    found = ranks(tmp_path_factory.mktemp("ranks"), [{"score": value} for value in values], "column:score")
    assert found == expected


def test_shortest_counts_characters_and_ties_go_to_the_lowest_row(tmp_path: Path) -> None:
    rows = [{"text": "ab"}, {"text": "猫猫猫"}, {"text": "éé"}, {"text": "a"}]
    assert ranks(tmp_path, rows, "shortest") == [1, 3, 2, 0]


@pytest.mark.parametrize(
    ("values", "expected"),
    [([9, 10, -1, None], [1, 2, 0, 3]), (["b", None, "a"], [1, 2, 0]), ([-(2**63), 0, 5], [0, 1, 2])],
)
def test_a_column_can_rank_lowest_first_and_missing_values_still_come_last(
    tmp_path: Path, values: list[Any], expected: list[int]
) -> None:
    assert ranks(tmp_path, [{"score": value} for value in values], "column:score:min") == expected


def test_a_direction_at_the_end_lets_a_column_be_called_like_one(tmp_path: Path) -> None:
    rows = [{"a:min": 1}, {"a:min": 2}]
    assert ranks(tmp_path, rows, "column:a:min:max") == [1, 0]
    assert ranks(tmp_path, rows, "column:a:min:min") == [0, 1]


def test_the_source_named_first_comes_first_and_within_it_the_policy_decides(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"text": "aaaa", "from": "web"},
        {"text": "a", "from": "book"},
        {"text": "aa", "from": "book"},
        {"text": "aaaaaa"},  # no source: last, with those of no named one
        {"text": "aaaaa", "from": 7},
    ]
    assert ranks(tmp_path, rows, "longest", "from", ["book", "web"]) == [2, 1, 0, 3, 4]
    assert ranks(tmp_path, rows, "first", "from", ["7"]) == [1, 2, 3, 4, 0]


def test_a_source_named_none_is_that_of_the_rows_without_one(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"from": "web"}, {"from": None}, {}, {"from": "book"}]
    assert ranks(tmp_path, rows, "first", "from", ["book", "(none)"]) == [3, 1, 2, 0]


def test_values_that_are_no_texts_are_sources_as_json_spells_them(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"from": True}, {"from": 1.5}, {"from": [1, "é"]}, {"from": "1.5"}]
    assert ranks(tmp_path, rows, "first", "from", ['[1, "é"]', "1.5", "true"]) == [3, 1, 0, 2]
