"""Ingest: each row comes through unchanged, is rejected with its line, or the run ends with a clear error."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from entropyguard.core.errors import DataFormatError, EntropyguardError, InputError
from entropyguard.core.ingest import lines as lines_module
from entropyguard.core.ingest.ingest import IngestCounts, ingest
from entropyguard.core.ingest.inputs import find_sources
from entropyguard.core.params import IngestParams
from entropyguard.core.progress import silent
from entropyguard.core.rows.hashes import AT_INGEST, HASH_FIELDS, hashes_of, spelled
from entropyguard.core.rows.row_texts import hashed_rows, joined
from entropyguard.core.rows.scripts import SCRIPT_FIELD, main_scripts, script_names
from entropyguard.core.rows.text import places_of
from entropyguard.core.storage.checkpoint import Checkpoint

TOLD = {"hashed": spelled(AT_INGEST), "scripts": script_names()}
FUZZ = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@dataclass(frozen=True)
class Read:
    """What ingest made of some input."""

    counts: IngestCounts
    table: pa.Table
    rejected: list[dict[str, Any]]
    about: dict[str, Any]
    bytes: bytes

    @property
    def records(self) -> list[Any]:
        return list(self.table["record"].to_pylist())

    @property
    def where(self) -> list[tuple[int, int, int]]:
        """(row id, file, line) of each readable row."""
        columns = [self.table[name].to_pylist() for name in ("row_id", "file", "line")]
        return list(zip(*columns, strict=True))

    @property
    def reasons(self) -> list[tuple[int, int, str]]:
        """(row id, line, reason) of each rejected one."""
        return [(row["row_id"], row["line"], row["reason"]) for row in self.rejected]


def params(
    text_column: str | tuple[str, ...] = "text",
    required: Sequence[str] = (),
    max_line_bytes: int = 1 << 27,
    *,
    strict: bool = False,
) -> IngestParams:
    return IngestParams(text_column, tuple(required), strict, max_line_bytes, "utf-8")


def read(spec: Path | str, given: IngestParams | None = None) -> Read:
    with tempfile.TemporaryDirectory() as name:
        out, rejected = Path(name, "ingested.parquet"), Path(name, "rejected.jsonl")
        given = given or params()
        counts = ingest(find_sources(str(spec), given.encoding), out, rejected, given, silent)
        table = pa.concat_tables(Checkpoint(out).tables()).sort_by("row_id")
        aside = [json.loads(line) for line in rejected.read_text(encoding="utf-8").split("\n")[:-1]]
        about = Checkpoint(out).metadata
        places = places_of(table, about)
        hashes, lengths = hashed_rows(places, AT_INGEST)
        assert (hashes_of(table["hash"]) == hashes).all()
        assert (table["characters"].to_numpy() == lengths).all()
        assert (table["script"].to_numpy() == main_scripts(joined(places))).all()
        return Read(counts, table, aside, about, out.read_bytes())


def read_bytes(folder: Path, data: bytes, given: IngestParams | None = None, name: str = "a.jsonl") -> Read:
    (folder / name).write_bytes(data)
    return read(folder / name, given)


# JSONL

LINES = [
    '{"text": "a", "n": 1.0, "m": 1}',
    '  {"text":"spaces around", "nested": {"b": [1, {"a": null}]}}  ',
    '{"z": 1, "text": "key order", "a": 2}',
    '{"text": "big", "n": 123456789012345678901234567890, "e": 1e999, "f": 1E5, "z": -0}',
    '{"text": "escapes \\u00e9 \\ud83d\\ude00 \\u0000 \\/ \\n"}',
    '{"text": "é 漢字 😀 \u2028 \u2029 \x85 \x7f"}',
    '{"text": "lone \\ud800"}',
    '{"text": "first", "text": "last"}',
    '{"text": "nan", "n": NaN, "i": -Infinity}',
    '{"text": ""}',
    '{"text": "5"}',
    '{"text": "[1]"}',
    '{"text": "true"}',
    '{"text": "null"}',
    '{"text": "long int", "n": ' + "9" * 5_000 + "}",
    '{"text": "deep", "d": ' + "[" * 499 + "]" * 499 + "}",
    '{"text": "brackets in a string ' + "[{" * 600 + '"}',
]


def test_every_line_comes_through_byte_for_byte(tmp_path: Path) -> None:
    got = read_bytes(tmp_path, "".join(line + "\n" for line in LINES).encode())
    assert got.records == LINES
    assert got.where == [(at, 0, at + 1) for at in range(len(LINES))]
    assert got.counts == IngestCounts(len(LINES), 0)
    assert got.about == {"format": "jsonl", "text_column": "text", **TOLD}
    assert got.table.schema.types[:4] == [pa.int64(), pa.int32(), pa.int64(), pa.large_string()]
    assert list(got.table.schema)[4:] == [*HASH_FIELDS, SCRIPT_FIELD]


def test_only_a_bom_and_the_cr_of_a_line_end_go(tmp_path: Path) -> None:
    data = b'\xef\xbb\xbf{"text": "a"}\r\n{"text": "b"}\r\r\n{"text": "\xef\xbb\xbf"}'
    assert read_bytes(tmp_path, data).records == ['{"text": "a"}', '{"text": "b"}\r', '{"text": "\ufeff"}']


def test_blank_lines_count_as_lines_but_are_no_rows(tmp_path: Path) -> None:
    got = read_bytes(tmp_path, b'\n{"text": "a"}\n \t\r\n\n  {"text": "b"}\nx\n')
    assert got.where == [(0, 0, 2), (1, 0, 5)]
    assert [(row_id, line) for row_id, line, _ in got.reasons] == [(2, 6)]


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.json"])
def test_a_mark_windows_line_ends_blank_lines_and_a_last_line_without_an_end_come_together(
    tmp_path: Path, name: str
) -> None:
    data = b'\xef\xbb\xbf\r\n{"text": "a"}\r\n\r\n \t\r\n{"text": "b"}\r\n{"text": "c"}'
    got = read_bytes(tmp_path, data, params(strict=True), name)
    assert got.records == ['{"text": "a"}', '{"text": "b"}', '{"text": "c"}']
    assert got.where == [(0, 0, 2), (1, 0, 5), (2, 0, 6)]


def test_a_line_of_ten_megabytes_comes_through(tmp_path: Path) -> None:
    line = '{"text": "' + "é" * 5_000_000 + '"}'
    assert read_bytes(tmp_path, f'{line}\n{{"text": "b"}}\n'.encode()).records == [line, '{"text": "b"}']


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"text": "a"', "malformed JSON: Expecting ',' delimiter at character 13"),
        (b'{"text": "a"} x', "malformed JSON: Extra data at character 15"),
        (b"{'text': 1}", "malformed JSON: Expecting property name"),
        (b'{"text": "a\x01"}', "malformed JSON: Invalid control character at"),
        (b'\xef\xbb\xbf{"text": "a"}', "malformed JSON: "),
        (b'{"text": "a", "d": ' + b"[" * 500 + b"]" * 500 + b"}", "nested more than 500 levels"),
        (b"[" * 100_000, "nested more than 500 levels"),
        (b'"abc"', "not a JSON object"),
        (b'[{"text": "a"}]', "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"3", "not a JSON object"),
        (b'{"text": "\xff"}', "invalid UTF-8 at byte 11 (invalid start byte)"),
        (b'{"text": "a", "b": "\xed\xa0\x80"}', "invalid UTF-8 at byte 21"),
        (b'{"Text": "a"}', "column 'text' is missing"),
        (b'{"text": null}', "column 'text' is null"),
        (b'{"text": 5}', "column 'text' is not text"),
        (b'{"text": -1.5e3}', "column 'text' is not text"),
        (b'{"text": 123456789012345678901234567890}', "column 'text' is not text"),
        (b'{"text": true}', "column 'text' is not text"),
        (b'{"text": ["a"]}', "column 'text' is not text"),
        (b'{"text": {"a": "b"}}', "column 'text' is not text"),
        (b'{"text": NaN}', "column 'text' is not text"),
        (b'{"text": "a", "text": 5}', "column 'text' is not text"),
        (b'{"a": {"text": "a"}}', "column 'text' is missing"),
    ],
)
def test_a_bad_line_is_rejected_with_its_number(tmp_path: Path, line: bytes, reason: str) -> None:
    got = read_bytes(tmp_path, b'{"text": "good"}\n\n' + line + b'\n{"text": "good too"}\n')
    assert got.records == ['{"text": "good"}', '{"text": "good too"}']
    [(row_id, number, said)] = got.reasons
    assert (row_id, number) == (1, 3)
    assert reason in said
    assert got.rejected[0]["raw"] == line.decode("utf-8", "backslashreplace")
    assert got.rejected[0]["file"] == 0


@pytest.mark.parametrize(("line", "reason"), [(b'{"text": "a"}', "missing"), (b'{"text": "a", "id": null}', "null")])
def test_a_row_without_a_required_column_is_rejected(tmp_path: Path, line: bytes, reason: str) -> None:
    good = b'{"text": "a", "id": 0}\n{"id": false, "text": "x"}\n'
    assert read_bytes(tmp_path, good + line, params(required=["id"])).reasons == [(2, 3, f"column 'id' is {reason}")]


def test_a_column_whose_name_is_no_identifier_works(tmp_path: Path) -> None:
    lines = ['{"the text.x": "a"}', '{"the text.x": 1}', '{"the": {"text.x": 1}}']
    got = read_bytes(tmp_path, "\n".join(lines).encode(), params("the text.x"))
    assert got.records == lines[:1]
    assert [reason for *_, reason in got.reasons] == [
        "column 'the text.x' is not text",
        "column 'the text.x' is missing",
    ]


@pytest.mark.parametrize("block", [1, 7, 50, 4_096])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_an_over_long_line_is_rejected_whatever_the_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, end: bytes
) -> None:
    monkeypatch.setattr(lines_module, "BLOCK_BYTES", block)
    exact = b'{"text": "' + b"x" * 18 + b'"}'
    over = b'{"text": "' + b"y" * 1_988 + b'"}'
    lines = [exact, exact[:-2] + b'x"}', exact, over, exact, over]
    got = read_bytes(tmp_path, end.join(lines), params(max_line_bytes=30))
    assert got.records == [exact.decode()] * 3
    assert [(row, line, reason.split(",")[0]) for row, line, reason in got.reasons] == [
        (1, 2, "31 bytes long"),
        (3, 4, "2000 bytes long"),
        (5, 6, "2000 bytes long"),
    ]
    assert [row["raw"] for row in got.rejected] == [lines[1].decode(), over[:1_000].decode(), over[:1_000].decode()]


def test_row_ids_go_on_over_files_and_lines_start_again(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\nbad\n')
    (tmp_path / "b.jsonl").write_text('bad\n{"text": "b"}\n')
    got = read(tmp_path)
    assert got.where == [(0, 0, 1), (3, 1, 2)]
    assert [(row["row_id"], row["file"], row["line"]) for row in got.rejected] == [(1, 0, 2), (2, 1, 1)]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b'{"text', "malformed JSON.*Write one JSON object a line"),
        (b'{"text": "caf\xe9"}', "invalid UTF-8 at byte 14 .*It looks like cp1252 .*: read it with --encoding NAME"),
        (b'\xef\xbb\xbf{"text": "b"}', "malformed JSON: Unexpected UTF-8 BOM .*Take the byte order mark out"),
        (b'{"text": null}', "column 'text' is null. Name the column of texts with --text-column"),
        (b'{"text": "b", "id": null}', "column 'id' is null. Fill it, or leave it out of --required-columns"),
    ],
)
def test_strict_stops_at_the_first_bad_line_and_says_what_to_do(tmp_path: Path, line: bytes, says: str) -> None:
    with pytest.raises(DataFormatError, match=rf"a\.jsonl, line 2: {says}.*Without --strict such rows are set aside"):
        read_bytes(tmp_path, b'{"text": "a", "id": 1}\n' + line, params(required=["id"], strict=True))


@pytest.mark.parametrize(
    ("data", "given", "says"),
    [
        (b'{"body": "a", "id": 1}\n{"x": 1}\n', params(), "No row has a column 'text'; there are: body, id, x"),
        (b'{"text": 1, "id": 1}\n{"text": null}\n', params(), "Column 'text' never holds text. No other column does"),
        (b'{"text": "a"}\n', params(required=["id"]), "No row has a column 'id'; there are: text"),
        (
            b'{"text": "a", "id": null}\n',
            params(required=["id"]),
            "Each of the 1 rows was rejected.*'id' is null. Fill it",
        ),
        (b"[1]\n2\n", params(), r"None of the 2 rows is a JSON object.*a\.jsonl, line 1: not a JSON object"),
    ],
)
def test_an_input_without_a_sound_row_says_why(tmp_path: Path, data: bytes, given: IngestParams, says: str) -> None:
    with pytest.raises(DataFormatError, match=says):
        read_bytes(tmp_path, data, given)


@pytest.mark.parametrize("data", [b"\n\n \n", b"\xef\xbb\xbf", b"\r\n"])
def test_a_file_without_rows_is_an_input_error(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(InputError, match=r"a\.jsonl holds no rows"):
        read_bytes(tmp_path, data)


def packed(kind: str, data: bytes) -> bytes:
    return gzip.compress(data) if kind == "gz" else zstandard.ZstdCompressor(write_checksum=True).compress(data)


@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_packed_files_of_several_members_are_read_whole(tmp_path: Path, kind: str) -> None:
    data = packed(kind, b'\xef\xbb\xbf{"text": "a"}\n{"te') + packed(kind, b'xt": "b"}\n')
    assert read_bytes(tmp_path, data, name=f"a.jsonl.{kind}").records == ['{"text": "a"}', '{"text": "b"}']


@pytest.mark.parametrize("kind", ["gz", "zst"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "garbage", "other"])
def test_a_damaged_packed_file_is_an_input_error(tmp_path: Path, kind: str, damage: str) -> None:
    whole = packed(kind, b"".join(b'{"text": "%d"}\n' % (at * at) for at in range(5_000)))
    middle = len(whole) // 2
    data = {
        "cut": whole[:-6],
        "flipped": whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :],
        "garbage": whole + b"garbage",
        "other": b"this is not packed at all",
    }[damage]
    with pytest.raises(InputError, match=rf"a\.jsonl\.{kind} cannot be read"):
        read_bytes(tmp_path, data, name=f"a.jsonl.{kind}")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
any_lines = st.one_of(
    st.builds(
        lambda row, text, ascii_only: json.dumps({**row, "text": text}, ensure_ascii=ascii_only).encode(
            errors="replace"
        ),
        st.dictionaries(st.text(max_size=4), json_values, max_size=3),
        st.text(max_size=12) | json_values,
        st.booleans(),
    ),
    st.binary(max_size=20).map(lambda data: data.replace(b"\n", b"")),
    st.sampled_from([line.encode() for line in LINES[:14]]),
    st.sampled_from([b"", b" ", b'{"text"', b'{"text": 1}', b"[]", b'{"text": "\xff"}', b'{"text": "x"}\r']),
)


def outcome(path: Path, given: IngestParams | None = None) -> Read | str:
    try:
        return read(path, given)
    except EntropyguardError as error:
        return f"{type(error).__name__}: {error}"


@FUZZ
@given(st.lists(any_lines, min_size=1, max_size=8), st.sampled_from([b"\n", b"\r\n"]), st.integers(1, 40))
@example([b'{"text": "a"}', b"x" * 60], b"\r\n", 3)
def test_what_becomes_of_a_line_depends_on_the_line_alone(
    tmp_path: Path, some: list[bytes], end: bytes, block: int
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "sound"}' + end + end.join(some))
    whole = read(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines_module, "BLOCK_BYTES", block)
        assert read(path) == whole
    accepted = dict(zip(whole.table["line"].to_pylist(), whole.records, strict=True))
    refused = {row["line"]: row for row in whole.rejected}
    assert len(accepted) + len(refused) == whole.counts.rows
    for number, line in enumerate(some, 2):
        ends_with_lf_only = end == b"\n" and number <= len(some)
        kept = line.removesuffix(b"\r") if ends_with_lf_only else line
        if number in accepted:
            assert accepted[number].encode() == kept
        elif number in refused:
            assert refused[number]["raw"] == kept.decode("utf-8", "backslashreplace")
        else:
            assert not kept.strip(b" \t\r")


# CSV

CSV = 'id,text,note\n1,a,\n2,"b,""c""\r\nd",""\n\n3,é 漢,x\r\n'


def test_csv_values_come_through_with_null_and_empty_apart(tmp_path: Path) -> None:
    got = read_bytes(tmp_path, CSV.encode(), name="a.csv")
    assert got.records == [
        {"id": "1", "text": "a", "note": None},
        {"id": "2", "text": 'b,"c"\r\nd', "note": ""},
        {"id": "3", "text": "é 漢", "note": "x"},
    ]
    assert got.where == [(0, 0, 2), (1, 0, 3), (2, 0, 6)]
    assert got.about == {"format": "csv", "text_column": "text", **TOLD}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_bad_csv_rows_are_rejected_with_the_line_they_start_on(tmp_path: Path, end: str) -> None:
    rows = ["\ufeffid,text", "1", '2,"x', 'y"', "", "3,a,b", "4,", "5,good"]
    got = read_bytes(tmp_path, end.join(rows).encode() + b"\n6,\xff\n", name="a.csv")
    assert [record["id"] for record in got.records] == ["2", "5"]
    assert got.where == [(1, 0, 3), (4, 0, 8)]
    assert got.reasons == [
        (0, 2, "1 fields where the header has 2"),
        (2, 6, "3 fields where the header has 2"),
        (3, 7, "column 'text' is null"),
        (5, 9, "invalid UTF-8 at byte 3 (invalid start byte)"),
    ]
    assert [row["raw"] for row in got.rejected] == ["1", "3,a,b", "4,", "6,\\xff"]


def test_quotes_inside_a_field_are_letters(tmp_path: Path) -> None:
    got = read_bytes(tmp_path, b'n,text\n5" pipe,a\n"6""x"y,b"c\n7,"d"\n', name="a.csv")
    assert [list(row.values()) for row in got.records] == [['5" pipe', "a"], ['6"xy', 'b"c'], ["7", "d"]]
    assert [line for *_, line in got.where] == [2, 3, 4]


def test_a_column_of_numbers_stays_text(tmp_path: Path) -> None:
    got = read_bytes(tmp_path, b"text\n007\n1.50\nNA\nnull\ntrue\n", name="a.csv")
    assert [row["text"] for row in got.records] == ["007", "1.50", "NA", "null", "true"]


def test_an_index_column_without_a_name_works(tmp_path: Path) -> None:
    assert read_bytes(tmp_path, b",text\n0,a\n", name="a.csv").records == [{"": "0", "text": "a"}]


@pytest.mark.parametrize(
    ("data", "given", "error", "says"),
    [
        (b"id,words\n1,a\n", params(), DataFormatError, r"a\.csv has no column 'text'; it has: id, words"),
        (b"text\na\n", params(required=["id"]), DataFormatError, "has no column 'id'"),
        (b"text,text\na,b\n", params(), DataFormatError, "two columns called 'text'"),
        (b"text\xff\na\n", params(), DataFormatError, "the header cannot be read: invalid UTF-8"),
        (b'text\na\n"b\nc\n', params(), DataFormatError, "line 3: a quote is opened and never closed"),
        (b'text\na\n"' + b"b" * 50 + b'"\n', params(max_line_bytes=40), DataFormatError, "line 3: .*max_line_bytes"),
        (b"text\n", params(), InputError, "holds no rows"),
        (b"\n\n", params(), InputError, "not even a header"),
        (b"id,text\n1,\n", params(), DataFormatError, "Each of the 1 rows was rejected.*'text' is null"),
        (b"id,text\n1,a\n2\n", params(strict=True), DataFormatError, r"a\.csv, line 3: 1 fields"),
    ],
)
def test_csv_that_cannot_be_read_says_why(
    tmp_path: Path, data: bytes, given: IngestParams, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        read_bytes(tmp_path, data, given, "a.csv")


def test_csv_files_with_other_columns_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,text\n1,a\n")
    (tmp_path / "b.csv").write_text("id,text,extra\n1,a,b\n")
    with pytest.raises(DataFormatError, match=r"b\.csv has other columns.*'extra'"):
        read(tmp_path)


csv_pieces = st.sampled_from(
    [b'"', b'""', b",", b"\t", b"\n", b"\r\n", b"\r", b"a", b" ", b"\xc3\xa9", b"\xff", b"\0", b"1"]
)


@FUZZ
@given(st.lists(csv_pieces, max_size=30), st.integers(1, 30), st.sampled_from(["csv", "tsv"]))
def test_any_csv_is_read_alike_in_blocks_of_any_size(
    tmp_path: Path, pieces: list[bytes], block: int, kind: str
) -> None:
    path = tmp_path / f"a.{kind}"
    begin = b"x,text\n1,sound\n" if kind == "csv" else b"x\ttext\n1\tsound\n"
    path.write_bytes(begin + b"".join(pieces))
    whole = outcome(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines_module, "BLOCK_BYTES", block)
        assert outcome(path) == whole
    if isinstance(whole, Read):
        assert whole.counts.rows == len(whole.table) + len(whole.rejected)
        assert whole.counts.rejected == len(whole.rejected)


fields = st.none() | st.text(st.sampled_from('ab,"\n\r é\x00'), max_size=6)


@FUZZ
@given(st.lists(st.tuples(fields, fields.filter(lambda value: value is not None)), min_size=1, max_size=6))
def test_any_csv_values_come_through_with_their_line(tmp_path: Path, rows: list[tuple[str | None, str]]) -> None:
    def spelled(value: str | None) -> str:
        return "" if value is None else '"' + value.replace('"', '""') + '"'

    written = ["id,text", *(f"{spelled(key)},{spelled(text)}" for key, text in rows)]
    got = read_bytes(tmp_path, "\n".join(written).encode(), name="a.csv")
    assert [(row["id"], row["text"]) for row in got.records] == rows
    before = ["\n".join([*written[: at + 1], ""]) for at in range(len(rows))]
    assert [line for *_, line in got.where] == [
        1 + text.count("\n") + text.replace("\r\n", "").count("\r") for text in before
    ]


# Parquet


def typed_table() -> pa.Table:
    schema = pa.schema(
        [
            pa.field("row_id", pa.int8(), nullable=False, metadata={b"unit": b"none"}),
            ("record", pa.list_(pa.struct([("line", pa.float32())]))),
            ("text", pa.dictionary(pa.int16(), pa.string())),
            ("at", pa.timestamp("ns", tz="Europe/Berlin")),
            ("price", pa.decimal128(12, 3)),
            ("map", pa.map_(pa.string(), pa.int64())),
            ("file", pa.binary()),
        ],
        metadata={b"pandas": b"{}"},
    )
    return pa.Table.from_pylist(
        [
            {"row_id": 1, "record": [{"line": 0.5}, None], "text": "a", "at": 1, "price": None, "map": [("k", 1)]},
            {"row_id": 2, "record": None, "text": None, "at": None},
            {"row_id": 3, "record": [], "text": "b", "file": b"\xff"},
        ],
        schema=schema,
    )


def test_parquet_rows_keep_their_exact_types(tmp_path: Path) -> None:
    table = typed_table()
    pq.write_table(table, tmp_path / "a.parquet")
    got = read(tmp_path / "a.parquet")
    assert got.where == [(0, 0, 1), (2, 0, 3)]
    assert got.reasons == [(1, 2, "column 'text' is null")]
    assert json.loads(got.rejected[0]["raw"])["row_id"] == 2
    record = got.table["record"].combine_chunks()
    assert [field.type for field in record.type] == table.schema.types
    assert record.field("price").equals(table["price"].take([0, 2]).combine_chunks())
    assert record.field("at").equals(table["at"].take([0, 2]).combine_chunks())


def test_several_row_groups_and_files_are_read_in_order(tmp_path: Path) -> None:
    for name in ("a", "b"):
        pq.write_table(
            pa.table({"text": [name + str(at) for at in range(5)]}), tmp_path / f"{name}.parquet", row_group_size=2
        )
    got = read(tmp_path)
    assert [row["text"] for row in got.records] == ["a0", "a1", "a2", "a3", "a4", "b0", "b1", "b2", "b3", "b4"]
    assert got.where[5:7] == [(5, 1, 1), (6, 1, 2)]


@pytest.mark.parametrize(
    ("table", "given", "says"),
    [
        (pa.table({"id": [1], "b": ["x"]}), params(), "has no column 'text'; it has: id, b"),
        (pa.table({"text": [1]}), params(), "column 'text' holds int64, not text. No other column does either"),
        (
            pa.table({"label": [1], "q": ["a"], "m": [[{"c": "b"}]]}),
            params("label"),
            r"column 'label' holds int64, not text\. Name a column of text with --text-column .*: q, m\[\]\.c\.$",
        ),
        (pa.table({"text": ["a"]}), params(required=["id"]), "has no column 'id'"),
        (pa.table([["a"], ["b"]], names=["text", "text"]), params(), "two columns called 'text'"),
        (pa.table({"text": pa.array([None], pa.string())}), params(), "Each of the 1 rows was rejected"),
    ],
)
def test_parquet_of_another_shape_says_why(tmp_path: Path, table: pa.Table, given: IngestParams, says: str) -> None:
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataFormatError, match=says):
        read(tmp_path / "a.parquet", given)


def test_parquet_files_of_different_types_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a"], "n": [1]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"text": ["a"], "n": [1.5]}), tmp_path / "b.parquet")
    with pytest.raises(DataFormatError, match=r"b\.parquet: column 'n' holds double, in the first file int64"):
        read(tmp_path)


def test_parquet_without_rows_is_an_input_error(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="holds no rows"):
        read(tmp_path / "a.parquet")


def test_damaged_parquet_is_an_input_error(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(
        pa.table({"text": [str(at) * 9 for at in range(999)]}), path, use_dictionary=False, compression="zstd"
    )
    whole = path.read_bytes()
    for data in (b"no", whole[:-9], whole[:99] + b"\xff" * 99 + whole[198:]):
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"a\.parquet cannot be read as Parquet"):
            read(path)


def test_parquet_that_lies_about_its_row_count_is_an_input_error(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [str(at) for at in range(999)]}), path)
    data = path.read_bytes()
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    # The footer's num_rows as Thrift writes it: field header 0x16, then 999 as a zigzag varint; here it says 1,000.
    at = data.index(b"\x16\xce\x0f", footer)
    path.write_bytes(data[:at] + b"\x16\xd0\x0f" + data[at + 3 :])
    with pytest.raises(InputError, match=r"a\.parquet"):
        read(path)


def test_parquet_text_that_is_no_utf8_is_an_input_error(tmp_path: Path) -> None:
    broken = pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xff"]).buffers())
    pq.write_table(pa.table({"text": broken}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"a\.parquet cannot be read as Parquet.*UTF"):
        read(tmp_path / "a.parquet")
