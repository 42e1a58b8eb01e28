"""chunks: long texts as several rows, all else as it came."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entropyguard.cli.separators import one_value_each, unescaped
from entropyguard.core.export.writers import write_records
from entropyguard.core.ingest.batches import Batch
from entropyguard.core.ingest.chunks import Chunker, count_chunks, text_span
from entropyguard.core.ingest.ingest import IngestCounts, ingest
from entropyguard.core.ingest.inputs import find_sources
from entropyguard.core.params import ChunkParams
from entropyguard.core.progress import silent
from entropyguard.core.rows.json_lines import parse_line
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.project.project import Project
from entropyguard.project.repro import dvc_environment
from entropyguard.run.settings import default_params
from tests.conftest import Workspace
from tests.row_order import in_order

DEFAULT = default_params().chunks.separators


def chunks_of(text: str, size: int, overlap: int = 0, separators: tuple[str, ...] = DEFAULT) -> list[str]:
    """The texts that a JSON line with this text becomes."""
    line = json.dumps({"text": text}, ensure_ascii=False, default=str).encode("utf-8", "surrogatepass")
    records = pa.array([line.decode()], pa.large_string())
    chunker = Chunker(ChunkParams(size, overlap, separators), "text")
    batch = chunker.chunked(
        Batch(1, pa.array([0]).to_numpy(), pa.array([0]).to_numpy(), pa.array([1]).to_numpy(), records)
    )
    return [json.loads(line)["text"] for line in batch.records.to_pylist()]


def ingested(source: Path, size: int, overlap: int = 0) -> tuple[IngestCounts, Path]:
    """Ingest a file in chunks, beside it."""
    out = source.with_name("ingested.parquet")
    chunks = ChunkParams(size, overlap, DEFAULT)
    params = default_params().ingest
    counts = ingest(find_sources(str(source)), out, source.with_name("rejected.jsonl"), params, silent, chunks)
    return counts, out


def written(checkpoint: Path, format: str) -> Path:  # noqa: A002  as in write_records
    out = checkpoint.with_name(f"out.{format}")
    write_records(Checkpoint(in_order(checkpoint)), out, format, silent)
    return out


def test_a_text_is_cut_at_the_best_separator_it_holds() -> None:
    text = "First paragraph here.\n\nSecond one.\nIts second line is long."
    assert chunks_of(text, 30) == ["First paragraph here.\n\n", "Second one.\n", "Its second line is long."]
    assert chunks_of(text, 100) == [text]
    assert chunks_of("one two three", 8) == ["one two ", "three"]


def test_own_separators_come_in_their_order() -> None:
    assert chunks_of("a,b;c,d", 4, separators=(";", ",")) == ["a,b;", "c,d"]
    assert chunks_of("a,b;c,d", 2, separators=(",",)) == ["a,", "b;", "c,", "d"]
    assert chunks_of("日本語。中国語。", 4, separators=("。",)) == ["日本語。", "中国語。"]


def test_each_chunk_begins_with_the_last_pieces_of_the_one_before() -> None:
    assert chunks_of("one two three four five", 10, overlap=5) == ["one two ", "two three ", "four five"]
    assert chunks_of("0123456789", 4, overlap=2) == ["0123", "2345", "4567", "6789"]


def test_a_text_without_separators_is_cut_anywhere() -> None:
    assert chunks_of("漢字仮名交じり文", 3) == ["漢字仮", "名交じ", "り文"]
    assert chunks_of("x" * 10, 4, separators=("\n",)) == ["xxxx", "xxxx", "xx"]


@settings(max_examples=100)
@given(text=st.text(st.sampled_from('ab \n.漢é😀\x00\\"'), min_size=1, max_size=80), size=st.integers(1, 20))
def test_no_chunk_is_longer_and_one_after_the_other_they_are_the_text(text: str, size: int) -> None:
    chunks = chunks_of(text, size)
    assert "".join(chunks) == text
    assert max(map(len, chunks)) <= size


@settings(max_examples=100)
@given(
    text=st.lists(st.sampled_from(" \n.") | st.characters(codec="utf-8"), min_size=1, max_size=60, unique=True),
    size=st.integers(1, 12),
    share=st.floats(0, 0.99),
)
def test_with_overlap_each_chunk_goes_on_from_within_the_one_before(text: list[str], size: int, share: float) -> None:
    overlap = int(size * share)
    place = {character: at for at, character in enumerate(text)}  # each is there once
    end = 0
    for chunk in chunks_of("".join(text), size, overlap):
        start = place[chunk[0]]
        assert chunk == "".join(text[start : start + len(chunk)])
        assert len(chunk) <= size
        assert end - overlap <= start <= end < start + len(chunk)
        end = start + len(chunk)
    assert end == len(text)


def test_only_the_span_of_the_text_changes_in_a_json_line(tmp_path: Path) -> None:
    lines = [
        r'{ "n": 1.50,  "text" :"one two three",  "big": 123456789012345678901234567890, "o": {"text": "in"} }',
        r'{"n":1e5,"text":"short"}',
        r'{"text": "caf\u00e9 caf\u00e9 caf\u00e9", "x": "caf\u00e9"}',
        r'{"text": "café café café", "t\u0065xt2": "\/"}',
        r'{"text": "no", "text": "the last two count", "nan": NaN}',
        r'{"te\u0078t": "lone \ud800 surrogate"}',
        r'{"text": "say \"yes\"\n\\o"}',
    ]
    (tmp_path / "data.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    counts, out = ingested(tmp_path / "data.jsonl", 10)
    assert written(out, "jsonl").read_text(encoding="utf-8").splitlines() == [
        r'{ "n": 1.50,  "text" :"one two ",  "big": 123456789012345678901234567890, "o": {"text": "in"} }',
        r'{ "n": 1.50,  "text" :"three",  "big": 123456789012345678901234567890, "o": {"text": "in"} }',
        lines[1],
        r'{"text": "caf\u00e9 caf\u00e9 ", "x": "caf\u00e9"}',
        r'{"text": "caf\u00e9", "x": "caf\u00e9"}',
        r'{"text": "café café ", "t\u0065xt2": "\/"}',
        r'{"text": "café", "t\u0065xt2": "\/"}',
        r'{"text": "no", "text": "the last ", "nan": NaN}',
        r'{"text": "no", "text": "two count", "nan": NaN}',
        r'{"te\u0078t": "lone \ud800 "}',
        r'{"te\u0078t": "surrogate"}',
        r'{"text": "say \"yes\"\n"}',
        r'{"text": "\\o"}',
    ]
    assert counts == IngestCounts(13, 0, 6)
    assert count_chunks(Checkpoint(out)) == {"split": 6, "chunks": 12}


@given(
    row=st.dictionaries(st.text(max_size=3), st.none() | st.floats() | st.text(max_size=4) | st.lists(st.integers())),
    text=st.text(max_size=6),
    indent=st.sampled_from([None, 0, 2]),
)
def test_the_span_of_a_text_is_found_in_any_line(row: dict[str, Any], text: str, indent: int | None) -> None:
    line = json.dumps({**row, "text": text}, indent=indent).replace("\n", " \t")
    found, start, end = text_span(line, "text")
    assert found == json.loads(line[start:end]) == text
    assert parse_line(line[:start] + '"other"' + line[end:])["text"] == "other"


def test_rows_keep_their_place_and_rejected_ones_theirs(tmp_path: Path) -> None:
    lines = ["{broken", '{"text": "aaa bbb ccc"}', '{"n": 1}', "", '{"text": "d"}', '{"text": "eee fff"}', "[1]"]
    (tmp_path / "data.jsonl").write_text("\n".join(lines) + "\n")
    counts, out = ingested(tmp_path / "data.jsonl", 4)
    rows = pl.read_parquet(out)
    assert rows["row_id"].to_list() == [1, 2, 3, 5, 6, 7]
    assert rows["line"].to_list() == [2, 2, 2, 5, 6, 6]
    rejected = [json.loads(line) for line in (tmp_path / "rejected.jsonl").read_text().splitlines()]
    assert [(row["row_id"], row["line"]) for row in rejected] == [(0, 1), (4, 3), (8, 7)]
    assert counts == IngestCounts(9, 3, 2)
    assert count_chunks(Checkpoint(out)) == {"split": 2, "chunks": 5}


def test_the_other_columns_of_csv_go_with_each_chunk(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text('id,text,note\n007,"one two, ""three""",\n8,short,""\n9,"a\n\nb c d e f",x\n')
    counts, out = ingested(tmp_path / "data.csv", 8)
    with written(out, "csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[1:] == [
        ["007", "one ", ""],
        ["007", "two, ", ""],
        ["007", '"three"', ""],
        ["8", "short", ""],
        ["9", "a\n\n", "x"],
        ["9", "b c d e ", "x"],
        ["9", "f", "x"],
    ]
    assert pl.read_parquet(out)["line"].to_list() == [2, 2, 2, 3, 4, 4, 4]
    assert counts == IngestCounts(7, 0, 2)


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())], ids=str
)
def test_the_other_columns_of_parquet_keep_their_types_and_values(tmp_path: Path, kind: pa.DataType) -> None:
    texts = pa.array(["one two three", "short", "sieben Zwerge"], pa.large_string()).cast(kind)
    others = {
        "price": pa.array([1, 2, None], pa.decimal128(9, 2)),
        "tags": pa.array([["a"], None, ["b", "c"]]),
        "place": pa.array([{"x": 1}, None, {"x": 4}]),
        "view": pa.array(["v", None, "w"], pa.string_view()),
    }
    table = pa.table({"first": others["price"], "text": texts, **others})
    pq.write_table(table, tmp_path / "data.parquet")
    counts, out = ingested(tmp_path / "data.parquet", 8)
    back = pq.read_table(written(out, "parquet"))
    assert back.schema.equals(pq.read_schema(tmp_path / "data.parquet"))
    assert back["text"].to_pylist() == ["one two ", "three", "short", "sieben ", "Zwerge"]
    for name, column in others.items():
        values = column.to_pylist()
        assert back[name].to_pylist() == [values[row] for row in (0, 0, 1, 2, 2)]
    assert counts == IngestCounts(5, 0, 2)


@pytest.mark.parametrize("name", ["data.jsonl", "data.csv"])
def test_where_no_text_is_longer_the_bytes_are_those_without_chunks(tmp_path: Path, name: str) -> None:
    text = "text\nab\ncd\n" if name == "data.csv" else '{"text": "ab"}\n{"text": "cd"}\n'
    (tmp_path / name).write_text(text)
    counts, out = ingested(tmp_path / name, 2)
    chunked = out.read_bytes()
    assert (counts, ingested(tmp_path / name, 0)[0]) == (IngestCounts(2, 0), IngestCounts(2, 0))
    assert out.read_bytes() == chunked


MEASURED = """
import resource, sys
from pathlib import Path
from tests.ingest.test_chunks import ingested

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
ingested(Path(sys.argv[1]), 5)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_text_in_many_chunks_takes_no_more_memory_than_its_chunks(tmp_path: Path) -> None:
    source = tmp_path / "data.jsonl"
    source.write_text(json.dumps({"text": "word " * 20_000}) + "\n")
    counts, out = ingested(source, 5)
    assert counts == IngestCounts(20_000, 0, 1)
    assert count_chunks(Checkpoint(out)) == {"split": 1, "chunks": 20_000}
    command = [sys.executable, "-c", MEASURED, str(source)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 500_000  # KB; with a copy of the text for each of its chunks it would be 2 GB


def test_separators_are_typed_as_before_and_may_hold_escapes() -> None:
    typed = ["--input", "a", "--separators", "|", r"\n", "-", "", "--output", "b", "--separators", "x"]
    flags = " ".join(f"{part!r}" for part in one_value_each(typed))
    assert flags == (
        r"'--input' 'a' '--separators' '|' '--separators' '\\n' '--separators' '-' '--separators' '' "
        r"'--output' 'b' '--separators' 'x'"
    )
    assert list(one_value_each(["status", "--checkpoint-dir", "d"])) == ["status", "--checkpoint-dir", "d"]
    assert unescaped(r"\n\n") == "\n\n"
    assert unescaped(r"。\t\u3002\x41\\n\q\ud800") == "。\t。A\\n\\q\\ud800"


@pytest.mark.pipeline
def test_a_run_in_chunks_accounts_for_each_of_them(workspace: Workspace) -> None:
    texts = ["the cat sat|a black dog ran|the cat sat", "short", "the river is cold|short"]
    workspace.write_rows(texts)
    flags = ("--chunk-size", "15", "--separators", "|", r"\n")
    ended = workspace.run(*flags, "--json", workspace.folder / "summary.json")
    assert ended.code == 0, ended.stderr
    summary = json.loads((workspace.folder / "summary.json").read_text())
    assert summary["settings"]["chunks"] == {"size": 15, "overlap": 0, "separators": ["|", "\n"]}
    rows = summary["rows"]
    assert (rows["split"], rows["chunks"]) == (2, len(workspace.kept()) - 1 + sum(rows["dropped"].values()))
    assert rows["in"] == rows["kept"] + sum(rows["dropped"].values())
    assert [row["id"] for row in workspace.kept()][:2] == [0, 0]
    assert "2 of the input's rows were split" in ended.stderr
    assert workspace.run("--resume", *flags).ran == []
    ended = workspace.run("--resume")
    assert "ingest" in ended.ran
    assert "size 15 -> 0" in ended.stderr
    assert "split" not in json.loads((workspace.checkpoints / "report.json").read_text())["rows"]


def without_the_extra(workspace: Workspace) -> None:
    """Let no process of the workspace find the package that splits texts."""
    blocker = workspace.folder / "blocker"
    blocker.mkdir()
    (blocker / "sitecustomize.py").write_text("import sys; sys.modules['langchain_text_splitters'] = None\n")
    path = [str(blocker), *filter(None, [os.environ.get("PYTHONPATH")])]
    workspace.environment["PYTHONPATH"] = os.pathsep.join(path)


def test_without_the_extra_chunks_are_refused_before_anything_runs(workspace: Workspace) -> None:
    without_the_extra(workspace)
    for flags in (("--chunk-size", "15"), ("--chunk-size", "15", "--dry-run")):
        ended = workspace.run(*flags)
        assert ended.code == 2
        assert 'pip install "entropyguard[chunks]"' in ended.stderr
    assert not workspace.checkpoints.exists()


@pytest.mark.pipeline
def test_without_the_extra_all_else_runs_and_a_stage_that_needs_it_says_so(workspace: Workspace) -> None:
    without_the_extra(workspace)
    ended = workspace.run()
    assert ended.code == 0, ended.stderr
    params = workspace.checkpoints / "params.yaml"
    params.write_text(params.read_text().replace("size: 0", "size: 15"))
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "repro"],
        cwd=workspace.checkpoints,
        env=dvc_environment(Project(workspace.checkpoints)) | workspace.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert 'pip install "entropyguard[chunks]"' in done.stderr
    assert json.loads((workspace.checkpoints / ".entropyguard" / "error.json").read_text())["exit_code"] == 2


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--chunk-size", "-1"), "--chunk-size is -1; it must be a number of characters, 0 for no splitting."),
        (
            ("--chunk-size", "10", "--chunk-overlap", "10"),
            "--chunk-overlap is 10; it must be 0 to 9, below --chunk-size.",
        ),
        (("--chunk-overlap", "5"), "--chunk-overlap is 5; it must be 0 to 0, below --chunk-size."),
    ],
)
def test_sizes_that_make_no_chunks_are_refused(workspace: Workspace, flags: tuple[str, ...], says: str) -> None:
    ended = workspace.run(*flags)
    assert ended.code == 2
    assert says in ended.stderr
