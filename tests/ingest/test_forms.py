"""A file that is not what its ending says: what it is, and the cure."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from entropyguard.core.errors import DataFormatError, InputError
from entropyguard.core.ingest.columns import fields_of, paths_of_input
from entropyguard.core.ingest.forms import form_of
from entropyguard.core.ingest.inputs import find_sources
from entropyguard.core.rows.source import Source
from tests.ingest.test_ingest import params, read_bytes

ROW = b'{"text":"ships sail"}'


def parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"text": ["a"]}), sink)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\xff\xfe" + ROW.decode().encode("utf-16-le"), "UTF-16 .*ingest.encoding utf-16."),
        (ROW.decode().encode("utf-16-le"), "UTF-16 text.*ingest.encoding utf-16-le"),
        (ROW.decode().encode("utf-16-be"), "UTF-16 text.*ingest.encoding utf-16-be"),
        (ROW.decode().encode("utf-32"), "UTF-32"),
        (b"[" + ROW + b"]\n[" + ROW + b"]", r"several JSON arrays, a line each.*jq -c '\.\[\]'"),
        (b"[1, 2]\n[3, 4]\n", "JSON arrays of something else than objects"),
        (b"[\n  [1, 2],\n  [3]\n]", "JSON arrays of something else"),
        (b'{\n "text": "a"\n}\n', "indented JSON.*jq -c"),
        (ROW + b"\r" + ROW + b"\r", r"lone CR.*tr '\\r'"),
        (b"\n \n\r\n", "nothing but blank lines"),
        (ROW + ROW, "several objects on a line"),
        (b"{'text': 'a'}\n", r"Python's own spelling.*json\.dumps"),
        (b'{"text": "caf\xe9"}\n', "not UTF-8 .*looks like cp1252.*ingest.encoding NAME"),
        ('{"text": "żółw w pąku"}\n'.encode("cp1250"), "looks like cp1250"),
        ('{"text": "привет, мир"}\n'.encode("cp1251"), "looks like cp1251"),
        (b"id,text\n1,a\n", r"no JSON lines \(it begins with 'id,text'\)"),
        (b"<!DOCTYPE html>\n<html>", "an HTML page"),
        (b'<?xml version="1.0"?>', "XML"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer.*git lfs pull"),
        (gzip.compress(ROW, mtime=0), r"packed with gzip.*\.jsonl\.gz"),
        (parquet(), r"is Parquet.*\.parquet"),
        (b"\x01\x00\x02\x03\x04\x09", "binary data"),
        (b"{}\n", "objects without columns"),
    ],
)
def test_what_is_no_json_lines_is_named_with_the_cure(tmp_path: Path, data: bytes, says: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(data)
    form = form_of(Source(tmp_path / "a.jsonl", "jsonl"))
    assert form is not None
    with pytest.raises(DataFormatError, match=says):
        raise DataFormatError(form)
    assert "\n" not in form


def test_json_lines_are_no_other_form(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"\n" * 100_000 + ROW + b"\n")
    assert form_of(Source(tmp_path / "a.jsonl", "jsonl")) is None


def test_ingest_says_it_too_when_no_row_is_an_object(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match=r"None of the 2 rows .* is several JSON arrays"):
        read_bytes(tmp_path, b"[" + ROW + b"]\n[" + ROW + b"]", params())


def test_what_is_no_parquet_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(gzip.compress(ROW * 100))
    with pytest.raises(InputError, match=r"a\.parquet is packed with gzip"):
        fields_of(find_sources(str(tmp_path / "a.parquet")))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("a.tab", "name it .tsv"),
        ("a.xlsx", "Save the sheet as CSV"),
        ("a.jsonl.bz2", "Unpack it first"),
        ("a.parquet.gz", "Unpack it first"),
        ("a.txt", "jq -cR"),
        ("a.orc", "Write its rows"),
        ("a", "pass JSONL on stdin"),
    ],
)
def test_another_ending_gets_the_cure_of_its_kind(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / name).write_bytes(ROW)
    with pytest.raises(InputError, match=says) as stopped:
        find_sources(str(tmp_path / name))
    assert "rename" not in str(stopped.value)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("id;text;n\n1;a, b;2\n", r"a semicolon \(';'\)"),
        ("id\ttext\n1\ta\n", r"a tab \('\\t'\).*ending \.tsv"),
        ("id|text\n", "a vertical bar"),
        ('"id";"text"\n1;a\n', "a semicolon"),
        ("sep=;\nid;text\n", "a semicolon"),
        ("id;price, net;text\n1;2,5;a\n", "a semicolon"),
    ],
)
def test_another_separator_than_the_comma_is_refused_by_name(tmp_path: Path, data: str, says: str) -> None:
    (tmp_path / "a.csv").write_text(data)
    with pytest.raises(DataFormatError, match=says) as stopped:
        fields_of(find_sources(str(tmp_path / "a.csv")))
    assert stopped.value.exit_code == 64


@pytest.mark.parametrize(
    ("data", "names"),
    [
        ("text\na;b\n", ["text"]),
        ('text,"a;b;c"\nx,y\n', ["text", "a;b;c"]),
        ('"a;b"\nx\n', ["a;b"]),
        ("text,tags;a;b\nx,y\n", ["text", "tags;a;b"]),
    ],
)
def test_a_separator_within_a_column_is_none(tmp_path: Path, data: str, names: list[str]) -> None:
    (tmp_path / "a.csv").write_text(data)
    assert [field.name for field in fields_of(find_sources(str(tmp_path / "a.csv")))] == names


def test_a_text_anywhere_in_any_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"text": null}\n{"other": "text"}\n' * 2_000 + b"{broken\n")
    (tmp_path / "b.jsonl").write_bytes(b'{"id": 1}\n' * 100_000 + ROW + b"\n")
    assert paths_of_input(find_sources(str(tmp_path)), "text").has_text("text")
    assert not paths_of_input(find_sources(str(tmp_path / "a.jsonl")), "text").has_text("text")
