"""Formats in and out, through the whole pipeline: what comes out is what went in, less the duplicates."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import polars as pl
import pytest
import zstandard

from tests.conftest import TEXTS, Workspace

pytestmark = pytest.mark.pipeline

ODD_LINES = [
    '{"text":"the black cat sat","n":1.0,"m":1,"big":123456789012345678901234567890}',
    '{ "n" : 1e2 , "text" : "the river is cold" }',
    '{"text":"caf\\u00e9 \\ud83d\\ude00 \\"quoted\\"","nested":{"a":[1,{"b":null}]},"n":"now a string"}',
    '{"other":true,"text":"price of sugar"}',
    '{"text":"caf\u00e9 and \u4e2d\u6587 and \u2028 too","n":[]}',
    '{"n":-0.0,"text":"music and dance"}',
]


def test_json_lines_come_out_byte_for_byte(workspace: Workspace) -> None:
    long_line = json.dumps({"text": "sugar " * 1_700_000})
    assert len(long_line) > 10_000_000
    lines = [*ODD_LINES, long_line]
    workspace.input.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    assert workspace.run().code == 0
    assert workspace.output.read_bytes() == "".join(line + "\n" for line in lines).encode()


def test_compressed_json_lines_go_in_and_out(workspace: Workspace) -> None:
    data = "".join(line + "\n" for line in ODD_LINES).encode()
    packed = workspace.folder / "in.jsonl.gz"
    packed.write_bytes(gzip.compress(data))
    assert workspace.run(input=packed, output=workspace.folder / "out.ndjson.zst").code == 0
    assert zstandard.decompress((workspace.folder / "out.ndjson.zst").read_bytes(), 1 << 20) == data
    back = workspace.folder / "out.jsonl.gz"
    assert workspace.run("--resume", input=workspace.folder / "out.ndjson.zst", output=back).code == 0
    assert gzip.decompress(back.read_bytes()) == data


def test_csv_keeps_its_values(workspace: Workspace) -> None:
    csv = workspace.folder / "in.csv"
    csv.write_text('n,text,note\n007,"the cat, sat",\n1.0,the river,""\n2,"THE  river","two\nlines"\n', newline="")
    output = workspace.folder / "out.csv"
    ended = workspace.run(input=csv, output=output)
    assert ended.code == 0, ended.stderr
    table = pl.read_csv(output, infer_schema=False)
    assert table.rows() == [("007", "the cat, sat", None), ("1.0", "the river", "")]


def test_parquet_keeps_its_schema(workspace: Workspace) -> None:
    frame = pl.DataFrame(
        {
            "text": TEXTS,
            "tags": [["a", None]] * 10,
            "at": pl.Series([1] * 10, dtype=pl.Datetime("us", "UTC")),
            "n": range(10),
        }
    )
    frame.write_parquet(workspace.folder / "in.parquet")
    output = workspace.folder / "out.parquet"
    ended = workspace.run(input=workspace.folder / "in.parquet", output=output)
    assert ended.code == 0, ended.stderr
    kept = pl.read_parquet(output)
    assert kept.schema == frame.schema
    assert kept.equals(frame.filter(pl.col("n").is_in([0, 3, 4, 5, 6, 7, 9])))


def test_the_output_may_be_another_format(finished: Workspace) -> None:
    for ending in ("parquet", "csv"):
        output = finished.folder / f"out.{ending}"
        assert finished.run("--resume", output=output).code == 0
        read = pl.read_parquet(output) if ending == "parquet" else pl.read_csv(output)
        assert read["id"].to_list() == [0, 3, 4, 5, 6, 7, 9]
        assert read["text"][0] == TEXTS[0]


def test_a_folder_is_read_in_sorted_order_as_one_input(workspace: Workspace) -> None:
    folder = workspace.folder / "parts"
    folder.mkdir()
    (folder / "b.jsonl").write_text('{"text": "the cat sat"}\n{"text": "the river"}\n')
    (folder / "a.jsonl.gz").write_bytes(gzip.compress(b'{"text": "The cat sat"}\n'))
    (folder / "notes.txt").write_text("not data")
    audit = workspace.folder / "audit.jsonl"
    ended = workspace.run(input=folder, audit_log=audit)
    assert ended.code == 0, ended.stderr
    assert [row["text"] for row in workspace.kept()] == ["The cat sat", "the river"]
    (record,) = [json.loads(line) for line in audit.read_text().splitlines()]
    assert (Path(record["file"]).name, record["line"], record["row_id"], record["keeper_row_id"]) == (
        "b.jsonl",
        1,
        1,
        0,
    )
    ended = workspace.run("--resume", input=str(folder / "*.jsonl*"), audit_log=audit)
    assert (ended.code, ended.ran) == (0, [])


def test_data_can_come_from_stdin_and_go_to_stdout(workspace: Workspace) -> None:
    data = workspace.input.read_bytes()
    ended = workspace.call(
        "--input", "-", "--output", "-", "--checkpoint-dir", "checkpoints", "--model-name", workspace.model, stdin=data
    )
    assert ended.code == 0, ended.stderr
    assert [json.loads(line)["id"] for line in ended.stdout.splitlines()] == [0, 3, 4, 5, 6, 7, 9]
