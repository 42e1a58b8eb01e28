"""Texts that stand in several places of a row: what is equal, what is shown, what is rejected, in every format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from entropyguard.core.errors import DataFormatError, UsageError
from entropyguard.core.ingest.ingest import ingest
from entropyguard.core.ingest.inputs import find_sources
from entropyguard.core.params import ChunkParams, ExactParams
from entropyguard.core.progress import silent
from entropyguard.core.rows.hashes import hashes_of
from entropyguard.core.rows.row_texts import hashed_rows
from entropyguard.core.rows.text import places_of, texts_of
from tests.ingest.test_ingest import Read, params, read

ORDER = ("instruction", "input", "output")
CHAT = "messages[].content"
Rows = list[dict[str, Any]]


def written(folder: Path, ending: str, rows: Rows) -> Path:
    """The rows as a file; in CSV and Parquet a missing value is null."""
    path = folder / f"data.{ending}"
    if ending == "jsonl":
        path.write_text("\n".join(map(json.dumps, rows)))
    elif ending == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        import polars as pl

        pl.DataFrame(rows, infer_schema_length=None).write_csv(path, quote_style="non_numeric", null_value="")
    return path


def texts(got: Read) -> list[str]:
    return texts_of(got.table, got.about).to_list()


def equal_to(got: Read) -> list[int]:
    """The first of the rows whose texts are equal, for each row."""
    hashes = [tuple(pair) for pair in hashes_of(got.table["hash"]).tolist()]
    return [hashes.index(one) for one in hashes]


def order(*values: str | None) -> dict[str, Any]:
    return dict(zip(ORDER, values, strict=True))


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_rows_are_equal_where_every_text_is(tmp_path: Path, ending: str) -> None:
    rows = [
        order("Add  up", "1 2", "three"),
        order("add up", "1 2", "Three "),  # equal to 0
        order("add up", "1 3", "three"),
        order("add up\n1 2", "", "three"),  # reads as 0 does
        order("add up", "", "1 2\nthree"),
        order("sing", "", "la"),
        order("sing", None, "la"),  # equal to 5: null counts as empty
        order("", "sing", "la"),
    ]
    got = read(written(tmp_path, ending, rows), params(ORDER))
    assert equal_to(got) == [0, 0, 2, 3, 4, 5, 5, 7]
    assert texts(got)[0] == "Add  up\n1 2\nthree"
    assert texts(got)[3:] == ["add up\n1 2\nthree"] * 2 + ["sing\nla"] * 3
    assert got.about["text_column"] == list(ORDER)
    assert got.table["characters"].to_pylist()[5:] == [6, 6, 6]


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_a_row_without_any_of_the_texts_is_rejected(tmp_path: Path, ending: str) -> None:
    rows = [order("a", "b", "c"), order(None, None, None), order("", None, None)]
    got = read(written(tmp_path, ending, rows), params(ORDER))
    assert got.counts.rejected == 1
    assert got.reasons == [(1, got.reasons[0][1], "no text in any of the columns 'instruction', 'input', 'output'")]


def test_a_missing_text_counts_as_empty(tmp_path: Path) -> None:
    rows = [{"instruction": "sing", "output": "la"}, order("sing", "", "la"), {"n": 1}]
    got = read(written(tmp_path, "jsonl", rows), params(ORDER))
    assert equal_to(got) == [0, 0]
    assert [reason for _, _, reason in got.reasons] == [
        "no text in any of the columns 'instruction', 'input', 'output'"
    ]


@pytest.mark.parametrize("value", [5, True, ["a"], {"a": "b"}])
def test_another_value_than_text_is_rejected_with_its_name(tmp_path: Path, value: Any) -> None:
    rows = [
        order("a", "b", "c"),
        {**order("a", "b", "c"), "input": value},
        {"meta": {"title": value}, **order("a", "b", "c")},
    ]
    got = read(written(tmp_path, "jsonl", rows), params((*ORDER, "meta.title")))
    assert [(line, reason) for _, line, reason in got.reasons] == [
        (2, "column 'input' is not text"),
        (3, "column 'meta.title' is not text"),
    ]


def chat(*contents: Any) -> dict[str, Any]:
    roles = ["user", "assistant"] * len(contents)
    return {"messages": [{"role": role, "content": content} for role, content in zip(roles, contents, strict=False)]}


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_chats_are_equal_where_every_message_is(tmp_path: Path, ending: str) -> None:
    rows = [
        chat("Hello  there", "hi"),
        chat("hello there", "Hi"),  # equal to 0
        {"messages": [{"role": "tool", "content": "hello there"}, {"role": "tool", "content": "hi"}]},  # roles: no text
        chat("hello there\nhi"),
        chat("hello", "there hi"),
        chat("hello there", "hi", None),
        chat(),
        {"messages": None},
    ]
    got = read(written(tmp_path, ending, rows), params(CHAT))
    assert equal_to(got) == [0, 0, 0, 3, 4, 5, 6]
    assert texts(got) == [
        "Hello  there\nhi",
        "hello there\nHi",
        *["hello there\nhi"] * 2,
        "hello\nthere hi",
        "hello there\nhi",
        "",
    ]
    assert got.table["characters"].to_pylist() == [13, 13, 13, 14, 13, 13, 0]
    assert [reason.rpartition(" is ")[0] for *_, reason in got.reasons] == [f"column {CHAT!r}"]


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_a_content_may_be_a_list_of_parts(tmp_path: Path, ending: str) -> None:
    part, image = {"type": "text", "text": "look"}, {"type": "image_url", "text": None}
    got = read(written(tmp_path, ending, [chat([part, image, part], None), chat([part], [part])]), params(CHAT))
    assert texts(got) == ["look\nlook"] * 2
    assert equal_to(got) == [0, 1]


def test_a_content_of_one_part_is_that_text(tmp_path: Path) -> None:
    rows = [chat("look", "nice"), chat([{"type": "text", "text": "look"}], "nice"), chat(["look"], "nice"), chat(5)]
    got = read(written(tmp_path, "jsonl", rows), params(CHAT))
    assert equal_to(got) == [0, 0]
    assert [reason for *_, reason in got.reasons] == [f"column {CHAT!r} is not text"] * 2


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_paths_go_into_objects_and_lists_of_lists(tmp_path: Path, ending: str) -> None:
    rows: Rows = [
        {
            "meta": {"title": "T"},
            "a": [{"b": [{"c": "1"}, {"c": "2"}]}, {"b": []}, {"b": [{"c": None}]}],
            "w": [["x"], []],
        },
        {"meta": None, "a": [], "w": [["y", "z"], None]},
    ]
    path = written(tmp_path, ending, rows)
    assert texts(read(path, params(("meta.title", "w[][]")))) == ["T\nx", "y\nz"]
    assert texts(read(path, params("a[].b[].c"))) == ["1\n2", ""]
    got = read(path, params("meta.title"))
    assert (texts(got), got.about["text_column"]) == (["T"], "meta.title")
    assert [reason.rpartition(" is ")[0] for *_, reason in got.reasons] == ["column 'meta.title'"]


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
@pytest.mark.parametrize("name", ["meta.title", "a[]", "a[].b", r"a\.b", "e.g.", "[]"])
def test_a_column_of_that_very_name_comes_before_a_path(tmp_path: Path, name: str, ending: str) -> None:
    assert texts(read(written(tmp_path, ending, [{name: "x", "n": 1}, {name: "y", "n": 2}]), params(name))) == [
        "x",
        "y",
    ]


def test_a_name_comes_before_a_path_row_by_row(tmp_path: Path) -> None:
    rows: Rows = [
        {"meta": {"title": "in"}},
        {"meta.title": "by name", "meta": {"title": "in"}},
        {"meta.title": "by name"},
    ]
    assert texts(read(written(tmp_path, "jsonl", rows), params("meta.title"))) == ["in", "by name", "by name"]
    assert texts(read(written(tmp_path, "jsonl", rows), params(r"meta\.title"))) == ["by name", "by name"]


def test_several_texts_are_those_of_the_last_of_equal_keys_and_lone_surrogates_are_spelled_out(tmp_path: Path) -> None:
    lines = [r'{"a": {"b": "x", "b": "y"}, "l": [{"t": "z"}], "l": [{"t": "\ud800"}, {"t": "\u0041"}]}']
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    assert texts(read(tmp_path / "a.jsonl", params(("a.b", "l[].t")))) == ["y\n\ufffd\\ud800\nA"]


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_a_column_that_is_nowhere_is_an_error_though_the_others_are_there(tmp_path: Path, ending: str) -> None:
    path = written(tmp_path, ending, [order("a", "b", "c")] * 3)
    with pytest.raises(DataFormatError, match=r"column 'inptu'; [a-z ]+: input, instruction"):
        read(path, params(("instruction", "inptu")))


def test_a_column_of_nothing_but_null_is_there(tmp_path: Path) -> None:
    got = read(written(tmp_path, "jsonl", [order("a", None, "c")] * 3), params(ORDER))
    assert texts(got) == ["a\nc"] * 3


def test_required_columns_are_columns(tmp_path: Path) -> None:
    rows = [{**order("a", "b", "c"), "id": 1}, order("a", "b", "c"), {**chat("x"), "id": 2}]
    got = read(written(tmp_path, "jsonl", rows), params((*ORDER, CHAT), required=["id"]))
    assert [reason for *_, reason in got.reasons] == ["column 'id' is missing"]
    assert texts(got) == ["a\nb\nc", "x"]


def test_texts_are_hashed_as_exact_dedup_asks(tmp_path: Path) -> None:
    rows = [order("A", "b  c", ""), order("a", "b  c", ""), order("a", "b c", "")]
    got = read(written(tmp_path, "jsonl", rows), params(ORDER))
    hashes, lengths = hashed_rows(places_of(got.table, got.about), ExactParams("none", False, False, 0))  # noqa: FBT003
    assert len(set(map(tuple, hashes.tolist()))) == 3
    assert lengths.tolist() == [5, 5, 4]


@pytest.mark.parametrize("names", [ORDER, CHAT, "meta.title"])
def test_only_the_texts_of_one_column_are_split(tmp_path: Path, names: str | tuple[str, ...]) -> None:
    path = written(tmp_path, "jsonl", [{**order("a", "b", "c"), **chat("x"), "meta": {"title": "t"}}])
    with pytest.raises(UsageError, match=r"chunks\.size splits the text of one column, not of "):
        ingest(
            find_sources(str(path)), tmp_path / "o", tmp_path / "r", params(names), silent, ChunkParams(5, 0, (" ",))
        )
