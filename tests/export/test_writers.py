"""What went in comes out; what another format cannot hold is refused."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entropyguard.core.errors import DataFormatError
from entropyguard.core.export.writers import read_records, write_records
from entropyguard.core.ingest.ingest import ingest
from entropyguard.core.ingest.inputs import find_sources
from entropyguard.core.params import IngestParams
from entropyguard.core.progress import silent
from entropyguard.core.storage.checkpoint import Checkpoint
from tests.row_order import in_order

FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
LINES = [
    '{"text": "a", "n": 1.0, "m": 1}',
    ' {"m":"1", "text":"b \\u00e9 \\ud800 \u2028", "n": 123456789012345678901234567890}',
    '{"text": "' + "c" * 100_000 + '", "d": {"e": [1, {"f": null}]}, "d": NaN}',
]


def checkpoint_of(source: Path) -> Path:
    out = source.with_name("checkpoint.parquet")
    params = IngestParams("text", (), strict=False, max_line_bytes=1 << 27, encoding="utf-8")
    ingest(find_sources(str(source)), out, source.with_name("rejected"), params, silent)
    return in_order(out)


def checkpoint(folder: Path, data: str | pa.Table, name: str = "a.jsonl") -> Path:
    if isinstance(data, str):
        (folder / name).write_bytes(data.encode())
    else:
        name = "a.parquet"
        pq.write_table(data, folder / name)
    return checkpoint_of(folder / name)


def written(folder: Path, data: str | pa.Table, kind: str, name: str = "a.jsonl") -> Path:
    out = folder / f"out.{kind}"
    source = checkpoint(folder, data, name)
    rows = write_records(Checkpoint(source), out, kind, silent)
    assert rows == pq.read_metadata(source).num_rows
    return out


@pytest.mark.parametrize(("kind", "unpack"), [("jsonl", bytes), ("jsonl.gz", gzip.decompress), ("jsonl.zst", None)])
def test_jsonl_comes_out_byte_for_byte(tmp_path: Path, kind: str, unpack: Any) -> None:
    got = written(tmp_path, "\n".join(LINES), kind).read_bytes()
    plain = unpack(got) if unpack else zstandard.ZstdDecompressor().decompressobj().decompress(got)
    assert plain == "".join(line + "\n" for line in LINES).encode()


@pytest.mark.parametrize("kind", ["jsonl.gz", "jsonl.zst"])
def test_packed_output_holds_no_clock_and_no_name(tmp_path: Path, kind: str) -> None:
    source = checkpoint(tmp_path, "\n".join(LINES))
    outs = [tmp_path / "one", tmp_path / "two"]
    for out in outs:
        write_records(Checkpoint(source), out, kind, silent)
    assert outs[0].read_bytes() == outs[1].read_bytes()
    assert b"one" not in outs[0].read_bytes()[:32]
    if kind == "jsonl.gz":  # zstd has no field for the time
        assert outs[0].read_bytes()[4:8] == b"\0\0\0\0"


def rich_table() -> pa.Table:
    schema = pa.schema(
        [
            pa.field("row_id", pa.int8(), nullable=False, metadata={b"unit": b"none"}),
            ("record", pa.large_list(pa.struct([("line", pa.float32()), ("d", pa.date32())]))),
            ("text", pa.dictionary(pa.int16(), pa.string())),
            ("at", pa.timestamp("ns", tz="UTC")),
            ("price", pa.decimal128(12, 3)),
        ],
        metadata={b"pandas": b"{}"},
    )
    when = datetime(2020, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    rows = [
        {"row_id": 1, "record": [{"line": 0.5}, None], "text": "a,\u2028", "at": when, "price": Decimal("1.10")},
        {"row_id": 2, "record": None, "text": ""},
        {"row_id": 3, "record": [], "text": "b"},
    ]
    return pa.Table.from_pylist(rows, schema=schema)


def test_parquet_comes_out_with_its_schema_and_metadata(tmp_path: Path) -> None:
    table = rich_table()
    got = pq.read_table(written(tmp_path, table, "parquet"))
    assert got.schema.equals(pq.read_schema(tmp_path / "a.parquet"), check_metadata=True)
    assert got.to_pylist() == table.to_pylist()


def test_dictionaries_that_differ_between_row_groups_come_out(tmp_path: Path) -> None:
    texts = [f"text {at}" for at in range(40)]
    pq.write_table(pa.table({"text": pa.array(texts).dictionary_encode()}), tmp_path / "a.parquet", row_group_size=7)
    out = tmp_path / "out.parquet"
    write_records(Checkpoint(checkpoint_of(tmp_path / "a.parquet")), out, "parquet", silent)
    assert pq.read_table(out)["text"].to_pylist() == texts


def test_parquet_becomes_json_lines_without_loss(tmp_path: Path) -> None:
    lines = written(tmp_path, rich_table(), "jsonl").read_text(encoding="utf-8").split("\n")
    assert lines == [
        '{"row_id": 1, "record": [{"line": 0.5, "d": null}, null], "text": "a,\u2028", '
        '"at": "2020-01-02 03:04:05.000678000Z", "price": "1.100"}',
        '{"row_id": 2, "record": null, "text": "", "at": null, "price": null}',
        '{"row_id": 3, "record": [], "text": "b", "at": null, "price": null}',
        "",
    ]


@pytest.mark.parametrize(
    ("column", "kind", "says"),
    [
        (pa.array([b"\xff"]), "jsonl", "'x' holds binary"),
        (pa.array([1], pa.duration("s")), "jsonl", r"'x' holds duration\[s\]"),
        (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())), "jsonl", "'x' holds map"),
        (pa.array([float("nan")]), "jsonl", "Line 1: column 'x' holds NaN"),
        (pa.array([[float("inf")]]), "jsonl", "Line 1: column 'x' holds NaN or infinity"),
        (pa.array([[1]]), "csv", "'x' is nested"),
        (pa.array([b"\xff"]), "csv", "'x' holds binary"),
    ],
)
def test_what_the_other_format_cannot_spell_is_refused(tmp_path: Path, column: pa.Array, kind: str, says: str) -> None:
    with pytest.raises(DataFormatError, match=says):
        written(tmp_path, pa.table({"text": ["a"], "x": column}), kind)


def test_csv_comes_out_with_null_and_empty_apart(tmp_path: Path) -> None:
    data = 'id,"te ""x",text\r\n"1",,"a,""b""\r\nc"\r\n2,"", lead\r\n'
    expected = b'id,"te ""x",text\n1,,"a,""b""\r\nc"\n2,"", lead\n'
    assert written(tmp_path, data, "csv", "a.csv").read_bytes() == expected


values = st.none() | st.text(st.sampled_from('ab,"\n\r é;\t\x00'), max_size=6)


@FUZZ
@given(
    st.lists(st.tuples(values, values.filter(lambda value: value is not None)), min_size=1, max_size=6),
    st.sampled_from(["csv", "tsv"]),
)
def test_any_csv_values_survive_csv_and_tsv(tmp_path: Path, rows: list[tuple[str | None, str]], kind: str) -> None:
    def spelled(value: str | None) -> str:
        return "" if value is None else '"' + value.replace('"', '""') + '"'

    data = "id,text\n" + "".join(f"{spelled(key)},{spelled(text)}\n" for key, text in rows)
    once = written(tmp_path, data, kind, "a.csv").read_bytes()
    again = tmp_path / f"again.{kind}"
    again.write_bytes(once)
    frame = read_records(Checkpoint(checkpoint_of(again)))
    assert frame.rows() == rows


@pytest.mark.parametrize("kind", ["arrow", "arrows"])
def test_arrow_holds_the_values_without_dictionaries_and_views(tmp_path: Path, kind: str) -> None:
    table = pa.table(
        {
            "text": pa.array(["a", "b", "c"]).dictionary_encode(),
            "n": pa.array([{"v": "x", "l": ["y"]}, None, {"v": None, "l": []}]),
            "view": pa.array(["p", None, "q"], pa.string_view()),
        }
    ).replace_schema_metadata({"huggingface": "{}"})
    data = pa.BufferReader(written(tmp_path, table, kind).read_bytes())
    got = (pa.ipc.open_stream if kind == "arrows" else pa.ipc.open_file)(data).read_all()
    assert got.to_pylist() == table.to_pylist()
    assert got.schema.field("text").type == pa.string()
    assert got.schema.metadata == table.schema.metadata


@pytest.mark.parametrize("kind", ["csv", "tsv"])
def test_csv_and_tsv_come_out_packed_with_the_same_bytes_each_time(tmp_path: Path, kind: str) -> None:
    data = 'id,text\n1,a\n,"b\tc"\n'
    plain = written(tmp_path, data, kind, "a.csv").read_bytes()
    packed = written(tmp_path, data, f"{kind}.gz", "a.csv").read_bytes()
    assert gzip.decompress(packed) == plain
    assert packed == written(tmp_path, data, f"{kind}.gz", "a.csv").read_bytes()
    assert zstandard.decompress(written(tmp_path, data, f"{kind}.zst", "a.csv").read_bytes(), 1 << 20) == plain


def test_csv_becomes_parquet_and_json_lines_of_strings(tmp_path: Path) -> None:
    data = 'id,text\n1,a\n,"b"\n'
    assert pq.read_table(written(tmp_path, data, "parquet", "a.csv")).to_pylist() == [
        {"id": "1", "text": "a"},
        {"id": None, "text": "b"},
    ]
    out = written(tmp_path, data, "jsonl", "a.csv")
    assert out.read_text() == '{"id": "1", "text": "a"}\n{"id": null, "text": "b"}\n'


def test_json_lines_become_parquet_with_one_schema(tmp_path: Path) -> None:
    rows = [
        {"text": "a", "n": 1, "f": 1, "d": {"x": [1]}, "e": []},
        {"text": "b", "f": 0.5, "d": {"y": "z"}, "b": True},
        {"f": None, "text": "c", "e": [None, "s"], "d": None, "big": 2**63 - 1},
    ]
    got = pq.read_table(written(tmp_path, "\n".join(map(json.dumps, rows)), "parquet"))
    assert got.to_pylist() == [
        {"text": "a", "n": 1, "f": 1.0, "d": {"x": [1], "y": None}, "e": [], "b": None, "big": None},
        {"text": "b", "n": None, "f": 0.5, "d": {"x": None, "y": "z"}, "e": None, "b": True, "big": None},
        {"text": "c", "n": None, "f": None, "d": None, "e": [None, "s"], "b": None, "big": 2**63 - 1},
    ]
    assert got.schema.field("n").type == pa.int64()


def test_json_lines_become_csv(tmp_path: Path) -> None:
    data = '{"text": "a,b", "n": 1}\n{"f": 0.5, "text": "", "n": null, "ok": true}\n'
    assert written(tmp_path, data, "csv").read_text() == 'text,n,f,ok\n"a,b",1,,\n"",,0.5,true\n'


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ('{"text": "x", "n": "1"}', "Line 3: column 'n' holds text here and whole numbers before"),
        ('{"text": "x", "n": true}', "Line 3: column 'n' holds true or false here"),
        ('{"text": "x", "n": {}}', "Line 3: column 'n' holds objects here"),
        ('{"text": "x", "n": 9223372036854775808}', "Line 3: column 'n' holds 9223372036854775808, which fits no 64"),
        ('{"text": "x", "m": {"k": [1, "1"]}}', "Line 3: column 'm.k' holds text here and whole numbers before"),
        ('{"text": "x", "big": 0.5}', "Line 3: column 'big' holds numbers with a fraction beside 9007199254740993"),
        ('{"text": "x", "n": 1, "n": 2}', "Line 3: key 'n' is given twice"),
        ('{"text": "x", "n": 1e999}', "Line 3: 1e999 is out of range"),
        ('{"text": "x", "s": "\\ud800"}', "Line 3: column 's' holds a lone surrogate"),
        ('{"text": "x", "o": {}}', "Column 'o' holds only empty objects"),
    ],
)
def test_what_fits_no_common_schema_is_refused(tmp_path: Path, row: str, says: str) -> None:
    data = '{"text": "a", "n": 1, "big": 9007199254740993}\n\n' + row + "\n"
    with pytest.raises(DataFormatError, match=says):
        written(tmp_path, data, "parquet")


def test_nested_json_does_not_fit_csv(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match="'d' is nested"):
        written(tmp_path, '{"text": "a", "d": [1]}\n', "csv")


scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
)
nested = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)


@FUZZ
@given(
    st.lists(st.dictionaries(st.sampled_from("abc"), nested, max_size=3), min_size=1, max_size=4),
    st.sampled_from(["parquet", "arrow", "arrows"]),
)
def test_any_json_either_converts_without_loss_or_is_refused(
    tmp_path: Path, rows: list[dict[str, Any]], kind: str
) -> None:
    rows = [{**row, "text": "t"} for row in rows]
    data = "\n".join(map(json.dumps, rows))
    try:
        got = table_of(written(tmp_path, data, kind)).to_pylist()
    except DataFormatError:
        return
    assert [without_nulls(row) for row in got] == [without_nulls(row) for row in rows]


CALLS: list[dict[str, Any]] = [
    {"text": "a", "m": [*[{"role": "user", "tool": None}] * 4, None], "n": [None] * 5},
    {"text": "b", "m": [], "n": None},
    {"text": "c", "m": None, "n": [None]},
]
"""Chats with a key that nobody ever used: more items than rows, and no type but null for it."""


@pytest.mark.parametrize("kind", ["parquet", "arrow", "arrows"])
def test_json_with_a_key_that_is_always_null_in_lists_becomes_columns(tmp_path: Path, kind: str) -> None:
    out = written(tmp_path, "\n".join(map(json.dumps, CALLS)), kind)
    assert table_of(out).to_pylist() == CALLS


@pytest.mark.parametrize("kind", ["parquet", "arrow", "arrows", "jsonl"])
@pytest.mark.parametrize("lists", [pa.list_, pa.large_list])
@pytest.mark.parametrize("label", [pa.string(), pa.dictionary(pa.int8(), pa.string())])
def test_columns_of_lists_with_nothing_but_null_in_them_come_out(
    tmp_path: Path, kind: str, lists: Callable[[pa.DataType], pa.DataType], label: pa.DataType
) -> None:
    message = pa.struct([("role", label), ("tool", pa.null())])
    schema = pa.schema([("text", pa.string()), ("m", lists(message)), ("n", pa.struct([("l", lists(pa.null()))]))])
    rows = [{**row, "n": {"l": row["n"]}} for row in CALLS]
    out = written(tmp_path, pa.Table.from_pylist(rows, schema=schema), kind)
    got = [json.loads(line) for line in out.read_text().splitlines()] if kind == "jsonl" else table_of(out).to_pylist()
    assert got == rows


def table_of(out: Path) -> pa.Table:
    """What a file of columns holds; each list in it is sound."""
    if out.suffix == ".parquet":
        table = pq.read_table(out)
    else:
        table = (pa.ipc.open_file if out.suffix == ".arrow" else pa.ipc.open_stream)(out.read_bytes()).read_all()
    table.validate(full=True)
    return table


def without_nulls(value: Any) -> Any:
    """A missing key and null are the same in a table."""
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [without_nulls(inner) for inner in value] if isinstance(value, list) else value


def test_the_rows_come_as_a_frame(tmp_path: Path) -> None:
    frame = read_records(Checkpoint(checkpoint(tmp_path, '{"text": "a", "n": 1}\n{"text": "b", "row_id": "x"}\n')))
    assert frame.to_dicts() == [{"text": "a", "n": 1, "row_id": None}, {"text": "b", "n": None, "row_id": "x"}]
    table = rich_table().select(["row_id", "text"])
    assert read_records(Checkpoint(checkpoint(tmp_path, table))).get_column("text").cast(pl.String).to_list() == [
        "a,\u2028",
        "",
        "b",
    ]


def test_infinity_spelled_as_such_is_a_value_and_a_number_that_overflows_is_none(tmp_path: Path) -> None:
    data = '{"text": "a", "b": Infinity}\n{"text": "b", "b": 1.5}\n{"text": "c", "b": -Infinity}\n'
    assert pq.read_table(written(tmp_path, data, "parquet"))["b"].to_pylist() == [float("inf"), 1.5, float("-inf")]
    with pytest.raises(DataFormatError, match=r"9999.* is out of range"):
        written(tmp_path, '{"text": "a", "b": ' + "9" * 5_000 + "}\n", "parquet")


def test_what_cannot_be_written_is_named_by_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n{"text": "b"}\n')
    (tmp_path / "b.jsonl").write_text('{"text": "c"}\n{"text": "\\ud800"}\n')
    names = ["a.jsonl", "b.jsonl"]
    source = Checkpoint(checkpoint_of(tmp_path / "?.jsonl"))
    with pytest.raises(DataFormatError, match=r"^b\.jsonl:2: column 'text' holds a lone surrogate"):
        write_records(source, tmp_path / "out", "parquet", silent, lambda place: f"{names[place[0]]}:{place[1]}")


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_a_csv_column_without_a_name_keeps_its_place_and_its_emptiness(tmp_path: Path, kind: str) -> None:
    data = ',text,"n, m"\n0,a,x\n1,b,y\n'
    out = written(tmp_path, data, kind, "a.csv")
    if kind == "csv":
        assert out.read_text() == data
    else:
        lines = out.read_text().splitlines() if kind == "jsonl" else []
        rows = [json.loads(line) for line in lines] or pq.read_table(out).to_pylist()
        assert rows == [{"": "0", "text": "a", "n, m": "x"}, {"": "1", "text": "b", "n, m": "y"}]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize(
    "far",
    [
        pa.array([0, 2**62], pa.timestamp("us")),
        pa.array([0, -(2**31)], pa.date32()),
        pa.array([0, 2**62], pa.timestamp("us")).dictionary_encode(),
    ],
)
def test_a_time_too_far_away_to_be_spelled_is_refused_with_its_line(tmp_path: Path, far: pa.Array, kind: str) -> None:
    with pytest.raises(DataFormatError, match=r"Line 2: column 'x' .* too far away to be spelled\. Write Parquet"):
        written(tmp_path, pa.table({"text": ["a", "b"], "x": far}), kind)


def test_a_far_time_in_a_list_is_refused_too_and_a_text_that_looks_like_one_is_a_text(tmp_path: Path) -> None:
    far = pa.array([[0], [1, 2**62]], pa.list_(pa.timestamp("us")))
    with pytest.raises(DataFormatError, match="Line 2: column 'x'"):
        written(tmp_path, pa.table({"text": ["a", "b"], "x": far}), "jsonl")
    told = pa.array([["<value out of range: 1>"]])
    out = written(tmp_path, pa.table({"text": ["a"], "x": told}), "jsonl")
    assert json.loads(out.read_text())["x"] == ["<value out of range: 1>"]
