"""Text in other encodings than UTF-8: read when asked for by name, never guessed."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from entropyguard.core.encodings import as_utf8, encoding_name, likely_encoding
from entropyguard.core.errors import DataFormatError, UsageError
from entropyguard.core.ingest.cures import cure
from entropyguard.core.ingest.inputs import find_input
from entropyguard.core.params import IngestParams
from tests.ingest.test_ingest import read_bytes

CP1252 = "id,text\n1,café “quoted”\n2,naïve\n".encode("cp1252")


def params(encoding: str) -> IngestParams:
    return IngestParams("text", (), strict=False, max_line_bytes=1 << 20, encoding=encoding)


def test_rows_come_out_as_utf_8(tmp_path: Path) -> None:
    got = read_bytes(tmp_path, CP1252, params("cp1252"), "a.csv")
    assert [row["text"] for row in got.records] == ["café “quoted”", "naïve"]


def test_a_byte_without_a_character_rejects_its_row_and_says_where(tmp_path: Path) -> None:
    data = '{"text": "é"}\n'.encode("cp1252") + b'{"text": "a\x81"}\n{"text": "b"}\n'
    got = read_bytes(tmp_path, data, params("cp1252"))
    assert got.records == ['{"text": "é"}', '{"text": "b"}']
    assert got.reasons == [(1, 2, "the encoding has no character for what stands at character 12")]
    assert "--encoding" in cure(got.reasons[0][2])


@pytest.mark.parametrize("piece", [1, 2, 3, 7])
def test_characters_cut_in_two_come_through(piece: int) -> None:
    text = "a é 漢 😀 z"
    for encoding in ("utf-16", "utf-16-be", "utf-32", "gb18030"):
        data = text.encode(encoding)
        cut = [data[at : at + piece] for at in range(0, len(data), piece)]
        assert b"".join(as_utf8(cut, encoding)).decode() == data.decode(encoding)


def test_a_utf_16_file_that_ends_within_a_character_rejects_its_last_row(tmp_path: Path) -> None:
    data = '{"text": "a"}\n{"text": "b"}'.encode("utf-16-le")
    got = read_bytes(tmp_path, data[:-1], params("utf-16-le"))
    assert (got.records, len(got.rejected)) == (['{"text": "a"}'], 1)


@pytest.mark.parametrize("name", ["utf-9", "rot13", "base64", "undefined", "", "idna\0", "hex"])
def test_what_is_no_encoding_of_text_is_refused(tmp_path: Path, name: str) -> None:
    assert encoding_name(name) is None
    with pytest.raises(UsageError, match=r"ingest\.encoding is .*it must be an encoding of text, such as"):
        params(name)
    (tmp_path / "a.csv").write_bytes(CP1252)
    with pytest.raises(UsageError, match=r"ingest\.encoding is"):
        find_input(str(tmp_path / "a.csv"), name)


def test_an_encoding_of_what_is_no_text_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "a.parquet")
    with pytest.raises(
        UsageError, match=r"ingest\.encoding utf-16 is for JSON, CSV and TSV; .*a\.parquet is none of them"
    ):
        find_input(str(tmp_path / "a.parquet"), "utf-16")


def test_where_no_row_can_be_read_the_way_out_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match=r"a\.csv, line 2: invalid UTF-8 .* read it with --encoding NAME"):
        read_bytes(tmp_path, CP1252, name="a.csv")


def test_without_it_the_encoding_is_named_and_not_guessed(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match=r"is UTF-16 text.*Read it with ingest\.encoding utf-16\."):
        read_bytes(tmp_path, "id,text\n1,a\n".encode("utf-16"), name="a.csv")
    got = read_bytes(tmp_path, CP1252 + b"3,plain\n", name="b.csv")
    assert [reason.split(" at ")[0] for *_, reason in got.reasons] == ["invalid UTF-8"] * 2


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("un café à côté, cœur, Müller, ¿qué?", "cp1252"),
        ("zażółć gęślą jaźń", "cp1250"),
        ("съешь ещё этих мягких", "cp1251"),
    ],
)
def test_a_guess_names_what_to_try(text: str, encoding: str) -> None:
    data = text.encode(encoding)
    assert likely_encoding(data).startswith(encoding)
    said = cure("invalid UTF-8 at byte 3", data.decode("utf-8", "backslashreplace"))
    assert said.startswith(f"It looks like {encoding} ")
    assert "--encoding" in said
