"""Rows whose texts hold nothing to compare: they come out of the whole pipeline, and go where a length is asked for."""

from __future__ import annotations

import json

import polars as pl
import pytest

from tests.conftest import Workspace

pytestmark = pytest.mark.pipeline

ROWS = [
    '{"text": "", "answer": "yes"}',
    '{"text": "the black cat sat", "answer": "cat"}',
    '{"text": "", "answer": "no"}',
    '{"text": "...", "answer": "maybe"}',
    '{"text": "...", "answer": "who knows"}',
    '{"text": "", "answer": "perhaps"}',
    '{"text": "the black cat sat", "answer": "duplicate of 1"}',
    '{"text": "\\u200b \\u0301", "answer": "never"}',
    '{"text": "\\ud83d\\ude00", "answer": "smile"}',
    '{"text": "\\ud83d\\ude00", "answer": "duplicate of 8"}',
]
SAID = "texts without a letter, digit or symbol: 6; their rows take no part and stay. --min-length 1 drops them"


def test_they_stay_with_their_other_columns_until_a_length_is_asked_for(workspace: Workspace) -> None:
    workspace.input.write_text("".join(f"{row}\n" for row in ROWS))
    ended = workspace.run(report=workspace.folder / "report.html")
    assert ended.code == 0, ended.stderr
    assert workspace.output.read_text().splitlines() == ROWS[:6] + ROWS[7:9]
    assert SAID in ended.stderr
    assert "10 rows in: 8 kept, 2 exact duplicates, 0 near-duplicates, 0 semantic duplicates" in ended.stderr
    assert "Texts without a letter, digit or symbol to compare: 6;" in (workspace.folder / "report.html").read_text()
    report = json.loads((workspace.checkpoints / "report.json").read_text())
    assert report["rows"]["nothing_to_compare"] == 6
    skipped = pl.read_parquet(workspace.checkpoints / "embeddings.parquet")["skipped"].to_list()
    assert skipped.count("empty") == 6

    ended = workspace.run("--resume", min_length="1")
    assert workspace.output.read_text().splitlines() == [ROWS[1], ROWS[8]]
    assert "10 rows in: 2 kept, 2 exact duplicates" in ended.stderr
    assert "0 semantic duplicates, 6 too short" in ended.stderr
    assert SAID not in ended.stderr


def test_empty_fields_of_csv_and_parquet_stay_and_nulls_are_rejected(workspace: Workspace) -> None:
    csv, parquet, output = (workspace.folder / name for name in ("in.csv", "in.parquet", "out.csv"))
    csv.write_text('n,text\n1,""\n2,\n3,"" \n4,the cat sat\n5,""\n')
    ended = workspace.run(input=csv, output=output)
    assert pl.read_csv(output, infer_schema=False)["n"].to_list() == ["1", "3", "4", "5"], ended.stderr
    frame = pl.DataFrame({"n": [1, 2, 3, 4, 5], "text": ["", None, " ", "the cat sat", ""]})
    frame.write_parquet(parquet)
    ended = workspace.run(input=parquet, output=output.with_suffix(".parquet"))
    assert "5 rows in: 4 kept, 0 exact duplicates" in ended.stderr
    assert "1 rejected" in ended.stderr
    assert pl.read_parquet(output.with_suffix(".parquet"))["n"].to_list() == [1, 3, 4, 5]
